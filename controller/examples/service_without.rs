//! An ordinary axum service: it answers with the words of a text in reverse. `service_with` is the same with pools and a
//! controller; `cargo test -p pool-controller --test examples` counts the lines between them.
//!
//! `cargo run -p pool-controller --example service_without`, then `curl -d 'one two' 127.0.0.1:8080/reverse`.

use axum::Router;
use axum::routing::post;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route(
        "/reverse",
        post(async move |text: String| {
            let mut answer = String::new();
            for word in text.split_whitespace().rev() {
                answer.push_str(word);
                answer.push('\n');
            }
            answer.clone()
        }),
    );
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/reverse", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}
