//! How exact the proxy is.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use firedrill_proxy::{Bandwidth, Latency, Proxy};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::load::{self, User};
use crate::median;
use crate::table::Table;

async fn proxy_to(upstream: SocketAddr) -> io::Result<Proxy> {
    Proxy::start(upstream).await.map_err(io::Error::other)
}

async fn service() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(load::serve(listener));
    Ok(address)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A latency of 50 ms, on 100 requests of one reused connection.
pub(crate) async fn latency(table: &mut Table) -> io::Result<()> {
    let proxy = proxy_to(service().await?).await?;
    let mut user = User::connect(proxy.address()).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        without.push(millis(user.ask().await?));
    }
    let latency = Latency::new(Duration::from_millis(50));
    let _latency = proxy.inject(latency).await.map_err(io::Error::other)?;
    let without = median(without.into_iter());
    for _ in 0..100 {
        with.push(millis(user.ask().await?) - without);
    }
    let first = with[0];
    with.sort_by(f64::total_cmp);
    println!(
        "\nlatency 50 ms, 100 requests on one reused connection: added p50 {:.2} ms, first {first:.2}, min {:.2}, p90 {:.2}, max {:.2}",
        with[50], with[0], with[90], with[99]
    );
    table.hold(
        "latency of 50 ms: added at p50",
        format!("{:.2} ms", with[50]),
        "50 ± 1 ms",
        (with[50] - 50.0).abs() <= 1.0,
    );
    Ok(())
}

/// Two seconds of traffic at three rates, over one connection and over four.
pub(crate) async fn bandwidth(table: &mut Table) -> io::Result<()> {
    println!();
    for (rate, connections) in [(64 << 10, 1u64), (1 << 20, 1), (1 << 20, 4), (32 << 20, 1)] {
        let each = 2 * rate / connections;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let bytes = vec![0; usize::try_from(each).unwrap_or_default()];
                    stream.write_all(&bytes).await?;
                    stream.shutdown().await
                });
            }
        });
        let proxy = proxy_to(address).await?;
        let _bandwidth = proxy.inject(Bandwidth::new(rate)).await.map_err(io::Error::other)?;
        let began = Instant::now();
        let reads = (0..connections).map(|_| {
            let address = proxy.address();
            tokio::spawn(async move { TcpStream::connect(address).await?.read_to_end(&mut Vec::new()).await })
        });
        let reads: Vec<_> = reads.collect();
        let mut total = 0;
        for read in reads {
            total += read.await.map_err(io::Error::other)??;
        }
        let measured = total as f64 / began.elapsed().as_secs_f64();
        println!(
            "bandwidth {:>6} KiB/s, {connections} connections: measured {:>8.1} KiB/s, {:+.2} %",
            rate >> 10,
            measured / 1024.0,
            (measured / rate as f64 - 1.0) * 100.0
        );
        let off = (measured / rate as f64 - 1.0) * 100.0;
        table.hold(
            format!("bandwidth of {} KiB/s, {connections} connections", rate >> 10),
            format!("{off:+.2} %"),
            "within 3 %",
            off.abs() <= 3.0,
        );
    }
    Ok(())
}

/// The time to a new client's first answer through one proxy, while twenty clients of another wait for a dead service.
pub(crate) async fn dead_service(table: &mut Table) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(0)?;
    let address = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    let mut waiting = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream?);
    }
    let (dead, alive) = (proxy_to(address).await?, proxy_to(service().await?).await?);
    let newcomer = async || {
        let began = Instant::now();
        User::connect(alive.address()).await?.ask().await?;
        Ok::<_, io::Error>(millis(began.elapsed()))
    };
    let (mut before, mut during) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        before.push(newcomer().await?);
    }
    for _ in 0..20 {
        waiting.push(TcpStream::connect(dead.address()).await?);
    }
    for _ in 0..100 {
        during.push(newcomer().await?);
    }
    let max = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    println!(
        "\na new client's first answer: {:.2} ms (max {:.2}); while 20 clients of another proxy wait for a dead service: {:.2} ms (max {:.2})",
        median(before.iter().copied()),
        max(&before),
        median(during.iter().copied()),
        max(&during)
    );
    let later = median(during.iter().copied()) - median(before.iter().copied());
    table.hold(
        "a new client while another proxy's service is dead",
        format!("{later:+.2} ms"),
        "<= 5 ms",
        later <= 5.0,
    );
    Ok(())
}
