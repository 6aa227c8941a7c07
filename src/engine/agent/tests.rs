//! The socket as its clients meet it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::{clock::SystemTime, engine::Parts, vault::Vault};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

fn world(dir: &tempfile::TempDir) -> Arc<World> {
    World::new(Parts { providers: Arc::new(|_| None), ..Parts::of_home(dir.path(), Vault::memory(), Arc::new(SystemTime::new())) })
}

async fn connect(dir: &tempfile::TempDir) -> UnixStream {
    let path = dir.path().join("pairdeck.sock");
    loop {
        match UnixStream::connect(&path).await {
            Ok(stream) => return stream,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

async fn line(stream: &mut BufReader<UnixStream>) -> serde_json::Value {
    let mut text = String::new();
    stream.read_line(&mut text).await.unwrap();
    serde_json::from_str(&text).unwrap_or(serde_json::Value::Null)
}

#[tokio::test]
async fn it_is_for_its_owner_only_replaces_what_was_left_and_goes_with_its_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pairdeck.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let world = world(&dir);
    let serving = tokio::spawn(serve(world.clone()));
    connect(&dir).await;
    let meta = std::fs::metadata(&path).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    world.shut();
    serving.await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn nonsense_gets_an_answer_and_the_connection_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(&dir);
    tokio::spawn(serve(world.clone()));
    let mut s = BufReader::new(connect(&dir).await);
    for bad in [
        "x",
        "[]",
        "{\"v\":2,\"target\":\"a\"}",
        "{\"v\":1}",
        "{\"v\":1,\"target\":\"a\",\"strict\":1}",
        "{\"v\":1,\"op\":\"wipe\",\"target\":\"a\"}",
        "",
    ] {
        s.write_all(format!("{bad}\n").as_bytes()).await.unwrap();
        assert_eq!(line(&mut s).await["error"]["exit"], 2, "{bad}");
    }
    s.write_all(b"{\"v\":1,\"target\":\"nobody\"}\n").await.unwrap();
    assert_eq!(line(&mut s).await["error"]["exit"], 3);
    s.write_all(b"{\"v\":1,\"target\":\"nobody\",\"ack\":true}\n").await.unwrap();
    assert_eq!(line(&mut s).await["heard"], true);
    assert_eq!(line(&mut s).await["error"]["code"], "name_unknown");
}

#[tokio::test]
async fn a_line_without_an_end_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(&dir);
    tokio::spawn(serve(world.clone()));
    let mut s = BufReader::new(connect(&dir).await);
    let _ = s.write_all(&vec![b'a'; usize::try_from(socket::LONGEST).unwrap() + 10]).await;
    let mut text = String::new();
    assert_eq!(s.read_line(&mut text).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn who_comes_when_the_room_is_full_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let world = world(&dir);
    tokio::spawn(serve(world.clone()));
    let mut held = Vec::new();
    for _ in 0..socket::CLIENTS {
        let mut s = BufReader::new(connect(&dir).await);
        s.write_all(b"x\n").await.unwrap();
        line(&mut s).await;
        held.push(s);
    }
    let mut late = BufReader::new(connect(&dir).await);
    assert_eq!(line(&mut late).await["error"]["code"], "busy");
    drop(held.pop());
    // As soon as one has left, the next is served.
    loop {
        let mut s = BufReader::new(connect(&dir).await);
        let _ = s.write_all(b"x\n").await;
        if line(&mut s).await["error"]["code"] == "bad_request" {
            break;
        }
    }
}
