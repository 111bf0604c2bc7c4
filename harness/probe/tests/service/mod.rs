//! A service of a few lines, for the tests of the prober.

use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// What a service does after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
}

/// Starts a service. It is called with the number of the request on its connection, from 0, and the
/// request, head and body.
pub(crate) fn serve(
    answer: impl Fn(usize, &str, &mut TcpStream) -> Then + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            std::thread::spawn(move || {
                for n in 0.. {
                    let Some(head) = request(&mut stream) else { return };
                    if answer(n, &head, &mut stream) == Then::Close {
                        return;
                    }
                }
            });
        }
    });
    address
}

fn request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    request.append(&mut body);
    String::from_utf8(request).ok()
}

pub(crate) fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    // A client that is gone has seen enough.
    let _ = stream.write_all(bytes.as_ref());
}
