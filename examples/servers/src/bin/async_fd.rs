//! tokio, and a socket that it has no type for: `AsyncFd` takes whatever epoll takes (of a Unix socket, vsock, kTLS). Here it is one of
//! std's. The trait is to be copied.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

use bare_sendfile::{IoSlice, Status, Transfer};
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncWriteExt, Interest, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

trait SendFile {
    /// Sends what `transfer` has left. It can be dropped on the way: the transfer knows what is sent, and goes on with another call.
    async fn send(&self, transfer: &mut Transfer, file: &File, headers: &[IoSlice<'_>]) -> io::Result<()>;
}

impl<T: AsFd + AsRawFd> SendFile for AsyncFd<T> {
    async fn send(&self, transfer: &mut Transfer, file: &File, headers: &[IoSlice<'_>]) -> io::Result<()> {
        loop {
            let mut send = |socket: &T| match transfer.poll_send(socket, file, headers, &[], &mut [])? {
                // It tells the runtime that the socket is full.
                Status::OutFull | Status::InEmpty => Err(io::ErrorKind::WouldBlock.into()),
                status => Ok(status),
            };
            match timeout(servers::PATIENCE, self.writable()).await??.try_io(|socket| send(socket.get_ref())) {
                Ok(Ok(Status::Done)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                Ok(Ok(_)) => yield_now().await, // the budget is used up
                Err(_would_block) => {}
            }
        }
    }
}

async fn serve(socket: std::net::TcpStream, file: Arc<File>) -> io::Result<()> {
    // SAFETY: std's socket owns its descriptor, and has this one until it is dropped.
    let socket = unsafe { AsyncFd::register_with_interest(socket, Interest::WRITABLE) }?;
    let len = file.metadata()?.len();
    let head = servers::head(len);
    let headers = [IoSlice::new(head.as_bytes())];
    let mut transfer = Transfer::new(0, len, &headers, &[])?;
    socket.send(&mut transfer, &file, &headers).await?;
    // As `servers::finish` has it, and why.
    let mut socket = TcpStream::from_std(socket.into_inner())?;
    socket.shutdown().await?;
    timeout(servers::PATIENCE, copy(&mut socket, &mut sink())).await.unwrap_or(Ok(0))?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let file = Arc::new(file);
    let listener = servers::listen()?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let mut tasks = Vec::new();
    for _ in 0..connections {
        let socket = loop {
            match listener.accept().await {
                Ok((socket, _)) => break socket.into_std()?,
                Err(error) => sleep(servers::pause(error)?).await,
            }
        };
        let serving = serve(socket, file.clone());
        tasks.push(tokio::spawn(async {
            if let Err(error) = serving.await {
                servers::report(error);
            }
        }));
        // Those that have ended would take memory for as long as the server runs.
        tasks.retain(|task| !task.is_finished());
    }
    for task in tasks {
        task.await?;
    }
    Ok(())
}
