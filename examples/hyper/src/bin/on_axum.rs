//! axum serves a file: `on_axum FILE`, until its input ends.

use std::io::{self, Write};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::routing::get;
use hyper_files::{Listener, respond, start};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let (file, listener) = start().await?;
    let answer = async move |method: Method, headers: HeaderMap| {
        respond(&file, &method, &headers).map(|response| response.map(Body::new)).map_err(|error| {
            let _ = writeln!(io::stderr(), "{error}"); // `eprintln!` would panic where it cannot be written
            StatusCode::INTERNAL_SERVER_ERROR
        })
    };
    axum::serve(Listener(listener), Router::new().route("/", get(answer))).await
}
