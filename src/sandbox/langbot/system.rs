//! `/healthz`, `system/info`, the task list, and what little there is of statistics.

use super::{
    Inner,
    auth::Who,
    reply::Reply,
    state::{Task, TaskState},
};
use serde_json::{Value, json};

/// Tasks of the application itself: so many run for ever, so many have ended at the start (recording 00).
const RUNNING: usize = 7;
const COMPLETED: usize = 4;

impl Inner {
    /// Counters of the process, open to everybody.
    pub(crate) fn healthz(&self) -> Reply {
        self.settle();
        let state = self.lock();
        let running = RUNNING + state.tasks.iter().filter(|t| t.state == TaskState::Running).count();
        let completed = COMPLETED + state.tasks.iter().filter(|t| t.state != TaskState::Running).count();
        let bots = state.bots.iter().filter(|b| b.runtime.is_some()).count();
        let (index, pipelines) = (state.next_task, state.pipelines);
        drop(state);
        let body = json!({
            "code": 0, "msg": "ok",
            "resources": {
                "application_tasks": { "total": running + completed, "running": running, "completed": completed, "id_index": index },
                "asyncio_tasks": running + 14,
                "blocking_executor": {
                    "active_scopes": 0, "completed_total": 8, "global_rejected_total": 0, "inflight": 0, "max_inflight_per_scope": 4,
                    "max_pending": 128, "max_workers": 8, "pending": 0, "rejected_total": 0, "running": 0, "scope_rejected_total": 0,
                    "submitted_total": 8,
                },
                "database_pool": {}, "directory": {},
                "event_loop": {
                    "last_lag_ms": 0.0, "max_lag_ms": 0.0, "recent_max_lag_ms": 0.0, "recent_p95_lag_ms": 0.0, "running": true,
                    "samples_total": 0,
                },
                "models": { "embeddings": 0, "llms": 0, "providers": 1, "rerankers": 0 },
                "query_pool": { "active_workspaces": 0, "cached": 0, "queued": 0 },
                "runtime_ops": { "dropped_total": 0, "last_error": null, "sent_total": 0 },
                "runtimes": {
                    "bots": bots, "knowledge_bases": 0, "mcp_dispatch_tasks": 0, "mcp_host_tasks": 0, "mcp_projection_reconcile_active": 0,
                    "mcp_projection_retirements": 0, "mcp_sessions": 0, "message_aggregation_buffers": 0, "message_aggregation_scopes": 0,
                    "pipelines": pipelines, "plugin_installations": 0, "plugin_runtime_connected": false,
                },
                "telemetry": { "executions_in_flight": 0, "records_buffered": 0, "records_dropped": 0, "records_sent": 0 },
            },
        });
        Reply::json(200, &body)
    }

    pub(crate) fn info(&self) -> Reply {
        Reply::ok(json!({
            "version": self.settings.version, "edition": "community", "debug": false, "beta": false, "deployment_mode": "oss",
            "allow_modify_login_info": true, "cloud_banner": null, "cloud_service_url": "https://space.langbot.app",
            "disable_models_service": true, "enable_marketplace": false, "invitation_delivery": { "enabled": false, "provider": null },
            "limitation": { "max_bots": -1, "max_extensions": -1, "max_knowledge_bases": -1, "max_pipelines": -1 },
            "mcp_stdio_enabled": false, "outbound_ips": [], "wizard_progress": null, "wizard_status": "none",
        }))
    }

    pub(crate) fn plugin_status(&self) -> Reply {
        Reply::ok(json!({ "is_connected": false, "is_enable": false, "plugin_connector_error": "Plugin runtime is not connected" }))
    }

    pub(crate) fn stats(&self) -> Reply {
        Reply::ok(json!({ "active_session_count": 0, "conversation_count": 0, "query_count": 0 }))
    }

    pub(crate) fn monitoring(&self) -> Reply {
        Reply::ok(json!({
            "active_sessions": 0, "embedding_calls": 0, "llm_calls": 0, "model_calls": 0, "success_rate": 100, "total_messages": 0,
        }))
    }

    /// A key sees a poor form without names. A person's form breaks the whole answer once any task that it would show was
    /// cancelled: `CancelledError` is no `Exception` (recording 31).
    pub(crate) fn tasks(&self, who: &Who, query: &dyn Fn(&str) -> Option<String>) -> Reply {
        self.settle();
        let (kind, type_of) = (query("kind").filter(|k| !k.is_empty()), query("type").filter(|t| !t.is_empty()));
        let state = self.lock();
        let fits = |t: &&Task| kind.as_deref().is_none_or(|k| k == t.kind) && type_of.as_deref().is_none_or(|w| w == word(t.user));
        let chosen: Vec<&Task> = state.tasks.iter().filter(fits).collect();
        match who {
            Who::Key(_) => Reply::ok(json!({ "tasks": chosen.into_iter().map(public).collect::<Vec<_>>() })),
            Who::Account if chosen.iter().any(|t| t.state == TaskState::Cancelled) => Reply::broken(),
            Who::Account => {
                let rows: Vec<_> = chosen.into_iter().map(|t| whole(t, &state.workspace)).collect();
                Reply::ok(json!({ "tasks": rows, "id_index": state.next_task }))
            }
        }
    }
}

const fn word(user: bool) -> &'static str {
    if user { "user" } else { "system" }
}

fn public(t: &Task) -> Value {
    let (status, error) = match t.state {
        TaskState::Running => ("running", Value::Null),
        TaskState::Finished => ("succeeded", Value::Null),
        TaskState::Cancelled => ("cancelled", json!({ "type": "task_cancelled", "message": "Task was cancelled" })),
    };
    json!({
        "id": t.id, "task_type": word(t.user), "kind": t.kind, "status": status, "error": error, "result": null, "created_at": t.created_s,
    })
}

fn whole(t: &Task, workspace: &str) -> Value {
    let done = t.state != TaskState::Running;
    // A runtime of a bot says what it does; a credential exchange says nothing.
    let action = if t.user {
        "default"
    } else if done {
        "Exited."
    } else {
        "Running..."
    };
    let scopes: &[&str] = if t.user { &["application"] } else { &["application", "platform"] };
    json!({
        "id": t.id, "task_type": word(t.user), "kind": t.kind, "name": t.name, "label": t.label, "workspace_uuid": workspace,
        "placement_generation": 1, "scopes": scopes, "created_at": t.created_s,
        "task_context": { "current_action": action, "log": "", "metadata": {} },
        "runtime": {
            "done": done, "state": if done { "FINISHED" } else { "PENDING" }, "exception": null, "exception_traceback": null, "result": null,
        },
    })
}
