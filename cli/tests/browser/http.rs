//! As much of HTTP as a test needs: one request on one connection, a JSON answer of known length.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A call that takes longer has failed. A driver answers when its browser has started.
const CALL_TIME_MAX: Duration = Duration::from_secs(120);

/// Sends `body` (or nothing) and returns status and answer.
///
/// # Errors
/// With what went wrong on the way; a status is no error.
pub(crate) fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> Result<(u16, Value), String> {
    let said = |e: std::io::Error| format!("{method} http://{address}{path}: {e}");
    let mut stream = TcpStream::connect_timeout(&address, CALL_TIME_MAX).map_err(said)?;
    stream.set_read_timeout(Some(CALL_TIME_MAX)).map_err(said)?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).map_err(said)?;
    let mut answer = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        answer.read_line(&mut line).map(|_| line.trim_end().to_owned())
    };
    let first = line().map_err(said)?;
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| format!("{path}: no status in {first:?}"))?;
    let mut length = None;
    loop {
        let header = line().map_err(said)?;
        match header.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some(_) => {}
            None => break,
        }
    }
    // A driver that keeps the connection open must not keep us waiting for its end.
    let length: usize = length.ok_or_else(|| format!("{path}: an answer of unknown length"))?;
    let mut body = vec![0; length];
    answer.read_exact(&mut body).map_err(said)?;
    let json = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&body) };
    json.map(|json| (status, json))
        .map_err(|e| format!("{path}: {e} in {:?}", String::from_utf8_lossy(&body)))
}
