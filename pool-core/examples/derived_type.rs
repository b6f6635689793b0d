//! A pool of a type of one's own: each field says what a return does to it.
//!
//! ```sh
//! cargo run -p pool-core --features derive --example derived_type
//! ```

use pool_core::{DropReason, Keep, Pool, Recycle, Retention};
use std::collections::HashMap;
use std::time::Duration;

/// What a request needs, from its first byte to its answer.
#[derive(Default, Recycle)]
struct Request {
    /// Emptied; its storage serves the next request, as long as that uses it.
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
    /// Back to zero.
    spent: Duration,
    /// Back to its default variant.
    stage: Stage,
    /// Overwritten, spare capacity included, before it is emptied: the next request must not find it.
    #[recycle(scrub)]
    token: String,
    /// Left alone on purpose: it counts over the object's whole life.
    #[recycle(keep)]
    served: u32,
    /// Cleaned by a function, which may also say that the whole object is not fit for another request.
    #[recycle(with = reset_peer, weight = peer_weight)]
    peer: Peer,
}

#[derive(Debug, Default, PartialEq, Recycle)]
enum Stage {
    #[default]
    Reading,
    Answering {
        status: u16,
    },
}

/// A connection of some other crate, which knows nothing of pools.
struct Peer {
    buffer: Box<[u8]>,
    is_broken: bool,
}

impl Default for Peer {
    fn default() -> Self {
        Self { buffer: vec![0; 1024].into(), is_broken: false }
    }
}

fn reset_peer(peer: &mut Peer, _: &Retention) -> Keep {
    if peer.is_broken { Keep::Refused } else { Keep::Yes }
}

fn peer_weight(peer: &Peer) -> usize {
    peer.buffer.len()
}

fn serve(request: &mut Request, path: &str) {
    request.path.push_str(path);
    request.headers.insert("accept".into(), "*/*".into());
    request.body.extend_from_slice(&[7; 512]);
    request.token.push_str("let me in");
    request.spent += Duration::from_millis(3);
    request.stage = Stage::Answering { status: 200 };
    request.served += 1;
}

fn main() {
    let requests = Pool::new("http.request", Request::default);

    let mut request = requests.get();
    serve(&mut request, "/orders/1");
    let (storage, token) = (request.body.as_ptr(), request.token.capacity());
    drop(request); // every field is recycled here

    let request = requests.get();
    assert!(request.path.is_empty() && request.headers.is_empty() && request.body.is_empty());
    assert_eq!((request.spent, &request.stage), (Duration::ZERO, &Stage::Reading));
    assert_eq!((request.token.as_str(), request.token.capacity()), ("", token));
    assert_eq!(request.served, 1, "kept on purpose");
    assert_eq!(request.body.as_ptr(), storage, "the same storage as before");
    assert!(Recycle::weight(&*request) >= 1024 + 512);
    drop(request);

    let mut request = requests.get();
    serve(&mut request, "/orders/2");
    request.peer.is_broken = true;
    drop(request); // refused by `reset_peer`: the object is dropped

    assert_eq!(requests.get().served, 0, "a new object");
    let stats = requests.stats();
    let refused = stats.returns_dropped[DropReason::Refused as usize];
    assert_eq!((stats.created, refused), (2, 1));
    println!("{} gets, {} objects made, {refused} refused on return", stats.gets.total(), stats.created);
}
