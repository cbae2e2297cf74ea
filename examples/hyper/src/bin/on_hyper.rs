//! hyper serves a file: `on_hyper FILE`, until its input ends.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use axum::serve::Listener as _;
use hyper::body::Incoming;
use hyper::header::{ALLOW, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_files::{FileBody, Listener, respond, start};
use hyper_util::rt::{TokioIo, TokioTimer};

async fn answer(file: Arc<File>, request: Request<Incoming>) -> Result<Response<FileBody>, Infallible> {
    let empty = |status| {
        let mut response = Response::new(FileBody::new(file.clone(), 0..0));
        *response.status_mut() = status;
        response
    };
    Ok(match *request.method() {
        Method::GET | Method::HEAD => respond(&file, request.method(), request.headers()).unwrap_or_else(|error| {
            let _ = writeln!(io::stderr(), "{error}"); // `eprintln!` would panic where it cannot be written
            empty(StatusCode::INTERNAL_SERVER_ERROR)
        }),
        _ => {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (file, listener) = start().await?;
    let mut listener = Listener(listener);
    loop {
        let (socket, peer) = listener.accept().await;
        let file = file.clone();
        let service = service_fn(move |request| answer(file.clone(), request));
        let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(socket), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                // With the source, which names the reason.
                let _ = writeln!(io::stderr(), "{peer}: {error:?}");
            }
        });
    }
}
