//! The socket: mode 0600 from birth, for this user only, few clients, short lines.

use super::{Refusal, Request};
use crate::{
    domain::{Reason, ReasonCode},
    engine::world::World,
};
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream, unix::OwnedReadHalf},
    sync::Semaphore,
};

/// Clients at once.
pub(super) const CLIENTS: usize = 64;
/// The longest request, in bytes.
pub(super) const LONGEST: u64 = 16 * 1024;
/// A client that says nothing for so long is let go.
const IDLE: Duration = Duration::from_secs(300);

/// The file, removed when nobody serves it any more.
struct Bound(PathBuf);

impl Drop for Bound {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Serves until the world ends. Only for the holder of the watch lock: what lies at the path is of a process that is gone.
///
/// # Errors
/// When the socket cannot be made: a path that is too long, a folder that cannot be written.
pub(in crate::engine) async fn serve(world: Arc<World>) -> io::Result<()> {
    let (listener, _bound) = bind(&world.paths.socket)?;
    let room = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let stream = tokio::select! {
            () = world.stop.cancelled() => return Ok(()),
            got = listener.accept() => match got {
                Ok((stream, _)) => stream,
                // Out of descriptors: later.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let ours = stream.peer_cred().is_ok_and(|c| c.uid() == rustix::process::getuid().as_raw());
        if !ours {
            continue;
        }
        let (world, permit) = (world.clone(), room.clone().try_acquire_owned());
        tokio::spawn(async move {
            let stop = world.stop.clone();
            let work = async {
                match permit {
                    Ok(_permit) => client(&world, stream).await,
                    Err(_) => busy(stream).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                _ = work => {}
            }
        });
    }
}

fn bind(path: &Path) -> io::Result<(UnixListener, Bound)> {
    // Under another name until its mode is right, then moved over whatever a killed process left.
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let _ = std::fs::remove_file(&fresh);
    let listener = std::os::unix::net::UnixListener::bind(&fresh)?;
    let placed = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600)).and_then(|()| std::fs::rename(&fresh, path));
    if let Err(e) = placed {
        let _ = std::fs::remove_file(&fresh);
        return Err(e);
    }
    let bound = Bound(path.to_owned());
    listener.set_nonblocking(true)?;
    Ok((UnixListener::from_std(listener)?, bound))
}

async fn busy(mut stream: UnixStream) -> io::Result<()> {
    let line = Refusal::Reason(Reason::new(ReasonCode::Busy)).to_json().to_string();
    stream.write_all(format!("{line}\n").as_bytes()).await
}

/// A line, without its end; `None` at the end of the stream, or when it is too long or too late.
async fn line(from: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = async { (&mut *from).take(LONGEST + 1).read_until(b'\n', &mut line).await };
    let n = tokio::time::timeout(IDLE, read).await.ok()?.ok()?;
    (n > 0 && line.pop() == Some(b'\n')).then_some(line)
}

async fn client(world: &Arc<World>, stream: UnixStream) -> io::Result<()> {
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    while let Some(line) = line(&mut from).await {
        let request = serde_json::from_slice(&line).ok().as_ref().and_then(Request::from_json);
        let answer = match request {
            None => Refusal::Request.to_json(),
            Some(request) => {
                if request.ack {
                    to.write_all(b"{\"v\":1,\"heard\":true}\n").await?;
                }
                match super::answer(world, &request).await {
                    Ok(document) => document.to_line(),
                    Err(why) => why.to_json(),
                }
            }
        };
        let text = zeroize::Zeroizing::new(format!("{answer}\n"));
        to.write_all(text.as_bytes()).await?;
    }
    Ok(())
}
