//! smol: `writable` waits when the socket was found full.

use std::fs::File;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use bare_sendfile::{IoSlice, Status, Transfer};
use smol::future::{or, yield_now};
use smol::io::{AsyncReadExt, copy, sink};
use smol::{Async, Timer};

/// Bytes that are read of one connection before the next one's turn.
const TURN: u64 = 64 << 10;

async fn serve(socket: Async<TcpStream>, file: Arc<File>) -> io::Result<()> {
    let len = file.metadata()?.len();
    let head = servers::head(len);
    let headers = [IoSlice::new(head.as_bytes())];
    let mut transfer = Transfer::new(0, len, &headers, &[])?;
    loop {
        match transfer.poll_send(&socket, &file, &headers, &[], &mut [])? {
            Status::Done => break,
            Status::Yielded => yield_now().await,
            Status::OutFull | Status::InEmpty => {
                or(socket.writable(), async {
                    Timer::after(servers::PATIENCE).await;
                    Err(io::ErrorKind::TimedOut.into())
                })
                .await?;
            }
        }
    }
    // As `servers::finish` has it, and why.
    socket.get_ref().shutdown(Shutdown::Write)?;
    let end = Instant::now() + servers::PATIENCE;
    loop {
        let turn = or(copy((&socket).take(TURN), sink()), async {
            Timer::at(end).await;
            Ok(0)
        });
        // A peer that floods this program is always ready. So neither the timer nor anybody else would have a turn.
        if turn.await? < TURN || Instant::now() >= end {
            return Ok(());
        }
        yield_now().await;
    }
}

fn main() -> io::Result<()> {
    let (file, connections) = servers::arguments();
    let file = Arc::new(file);
    let listener = Async::new(servers::listen()?)?;
    smol::block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..connections {
            let socket = loop {
                match listener.accept().await {
                    Ok((socket, _)) => break socket,
                    Err(error) => _ = Timer::after(servers::pause(error)?).await,
                }
            };
            let serving = serve(socket, file.clone());
            tasks.push(smol::spawn(async {
                if let Err(error) = serving.await {
                    servers::report(error);
                }
            }));
            // Those that have ended would take memory for as long as the server runs.
            tasks.retain(|task| !task.is_finished());
        }
        for task in tasks {
            task.await;
        }
        Ok(())
    })
}
