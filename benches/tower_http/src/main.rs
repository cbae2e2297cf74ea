//! `tower_http FOLDER`: serves its files on a free port of the loopback, which it prints, on one thread, as the other servers do.

use std::env::args_os;
use std::io;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_http::services::ServeDir;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let folder = args_os().nth(1).ok_or(io::ErrorKind::InvalidInput)?;
    let files = TowerToHyperService::new(ServeDir::new(folder));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        // A client that leaves is an error of its connection alone.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), files.clone()));
    }
}
