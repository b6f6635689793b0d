//! What a time-to-live may still do after its fault was armed anew.

use super::*;

/// The one test of this binary that arms failpoints, which belong to the process.
#[test]
fn an_expiry_does_not_end_what_was_armed_since() {
    let memory = Memory { usage_bytes: 0, limit_bytes: 1 << 20 };
    let faults = FaultBox::new(&Registry::new(), move || Some(memory));
    let hour = Duration::from_secs(3600);
    let when = When::parse("when", "return").unwrap();
    for request in [
        FaultRequest::MissingPut { pool: None, when, seed: 1, ttl: Some(hour) },
        FaultRequest::MemoryBalloon { target_ratio: 0.5, ramp: Duration::ZERO, ttl: hour },
    ] {
        let arm = || {
            faults.arm(&request).unwrap();
            lock(&faults.0.state).generation
        };
        // The first one's time was over, but its thread came to the state only after the second one.
        let (first, second) = (arm(), arm());
        let inner = Arc::downgrade(&faults.0);
        expire(&inner, request.name(), first);
        assert_eq!(faults.status().armed.len(), 1, "{}", request.name().as_str());
        expire(&inner, request.name(), second);
        assert_eq!(faults.status().armed, [], "{}", request.name().as_str());
    }
}
