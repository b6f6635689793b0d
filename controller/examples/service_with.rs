//! The service of `service_without` with a pool, a controller, its page and its admission: the lines that differ are all
//! that it takes.
//!
//! `cargo run -p pool-controller --example service_with`, then `curl -d 'one two' 127.0.0.1:8080/reverse`, and the page
//! at <http://127.0.0.1:9901>.

use axum::Router;
use axum::routing::post;
use pool_controller::{Controller, Mode, admin};
use pool_core::{Pool, Registry};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::new();
    let answers = Pool::builder("answers").registry(&registry).build_with(String::new)?;
    let runtime = tokio::runtime::Handle::current();
    let controller =
        Controller::builder().registry(&registry).mode(Mode::Enforce).runtime(&runtime).build()?;
    let controller = controller.spawn()?;
    tokio::spawn(admin::serve(([127, 0, 0, 1], 9901).into(), controller.router(), |_| {}));
    let app = Router::new().route(
        "/reverse",
        post(async move |text: String| {
            let mut answer = answers.get();
            for word in text.split_whitespace().rev() {
                answer.push_str(word);
                answer.push('\n');
            }
            answer.clone()
        }),
    );
    let app = app.layer(controller.admission().layer());
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("http://{}/reverse", listener.local_addr()?);
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    controller.shutdown();
    Ok(())
}
