//! tokio: `try_io` tells the runtime when the socket was found full.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bare_sendfile::{IoSlice, Status, Transfer};
use tokio::io::{AsyncWriteExt, Interest, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

async fn serve(mut socket: TcpStream, file: Arc<File>) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(len);
    let headers = [IoSlice::new(head.as_bytes())];
    let mut transfer = Transfer::new(0, len, &headers, &[])?;
    loop {
        timeout(servers::PATIENCE, socket.writable()).await??;
        let sent =
            socket.try_io(Interest::WRITABLE, || match transfer.poll_send(&socket, &file, &headers, &[], &mut [])? {
                Status::OutFull | Status::InEmpty => Err(io::ErrorKind::WouldBlock.into()),
                status => Ok(status),
            });
        match sent {
            Ok(Status::Done) => break,
            Ok(_) => yield_now().await, // the budget is used up
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    // As `servers::finish` has it, and why.
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
                Ok((socket, _)) => break socket,
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
