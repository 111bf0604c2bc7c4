//! Toxics on bytes and connections: what each one breaks, and that a revert restores it.

use std::io::ErrorKind;
use std::time::Duration;

use firedrill_proxy::{
    Bandwidth, Blackhole, DataLimit, Directions, Error, Latency, MAX_BUFFERED_BYTES, OpenConnections, Refuse,
    Reset, Slicing, SlowClose, ToxicId,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peers::{Client, echo, sender, serve, within};
use crate::{FOREVER, LONG, SHORT, inject, proxy_at, proxy_to, revert};

#[tokio::test]
async fn without_toxics_all_bytes_pass_and_a_half_close_as_a_half_close() {
    let service = serve(|mut stream| async move {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).await?;
        stream.write_all(&asked).await?;
        stream.shutdown().await
    })
    .await;
    let proxy = proxy_to(service).await;
    let mut client = Client::connect(&proxy).await;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    within(client.0.write_all(&sent)).await.unwrap();
    client.0.shutdown().await.unwrap();
    assert!(client.read_all().await.0 == sent);
}

#[tokio::test]
async fn a_reset_passes_as_a_reset() {
    let service = serve(|mut stream| async move {
        stream.read_u8().await?;
        stream.set_zero_linger()
    })
    .await;
    let mut client = Client::connect(&proxy_to(service).await).await;
    client.0.write_all(b"!").await.unwrap();
    let error = within(client.0.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_reader_that_stops_reading_stops_the_writer() {
    let service = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
    .await;
    let proxy = proxy_to(service).await;
    inject(&proxy, 1, Latency::new(FOREVER).on(Directions::Both)).await;
    let mut client = Client::connect(&proxy).await;
    let block = vec![0; 1 << 16];
    let mut taken = 0;
    while let Ok(written) = tokio::time::timeout(SHORT, client.0.write(&block)).await {
        taken += written.unwrap();
    }
    // The proxy's buffer and the socket buffers of the operating system.
    assert!(
        taken < MAX_BUFFERED_BYTES + (16 << 20),
        "{taken} bytes were taken"
    );
}

#[tokio::test]
async fn latency_delays_every_chunk_of_a_reused_connection_until_its_revert() {
    let proxy = proxy_to(echo().await).await;
    let mut client = Client::connect(&proxy).await;
    client.round_trip().await.unwrap();
    inject(&proxy, 1, Latency::new(LONG)).await;
    for _ in 0..3 {
        assert!(client.round_trip().await.unwrap() > SHORT);
    }
    let hits = revert(&proxy, 1).await;
    assert_eq!((hits.connections, hits.chunks), (1, 3));
    client.round_trip().await.unwrap();
    assert_eq!(proxy.hits(ToxicId(1)), hits);
}

#[tokio::test]
async fn delayed_chunks_pass_when_the_latency_is_reverted() {
    let proxy = proxy_to(echo().await).await;
    inject(&proxy, 1, Latency::new(FOREVER)).await;
    let mut client = Client::connect(&proxy).await;
    client.0.write_all(b"ping").await.unwrap();
    assert!(client.hears_nothing_for(SHORT).await);
    revert(&proxy, 1).await;
    assert_eq!(within(client.0.read_u8()).await.unwrap(), b'p');
}

#[tokio::test]
async fn bandwidth_is_shared_by_all_connections() {
    let proxy = proxy_to(sender(50_000).await).await;
    inject(&proxy, 1, Bandwidth::new(100_000)).await;
    let (mut one, mut other) = (Client::connect(&proxy).await, Client::connect(&proxy).await);
    let ((one, took), (other, other_took)) = tokio::join!(one.read_all(), other.read_all());
    assert_eq!((one.len(), other.len()), (50_000, 50_000));
    // 100 kB at 100 kB/s. With a limit per connection, both would be done after half a second.
    let took = took.max(other_took);
    assert!(took > Duration::from_millis(750), "{took:?}");
    let hits = revert(&proxy, 1).await;
    assert!(!hits.is_empty());
    assert_eq!(Client::connect(&proxy).await.read_all().await.0.len(), 50_000);
    assert_eq!(proxy.hits(ToxicId(1)), hits);
}

#[tokio::test]
async fn a_blackhole_keeps_connections_open_and_after_its_revert_everything_arrives() {
    let proxy = proxy_to(echo().await).await;
    let mut before = Client::connect(&proxy).await;
    before.round_trip().await.unwrap();
    inject(&proxy, 1, Blackhole::new(Directions::Both)).await;
    let mut during = Client::connect(&proxy).await;
    before.0.write_all(b"a").await.unwrap();
    during.0.write_all(b"b").await.unwrap();
    assert!(before.hears_nothing_for(SHORT).await && during.hears_nothing_for(SHORT).await);
    assert_eq!(revert(&proxy, 1).await.connections, 2);
    assert_eq!(within(before.0.read_u8()).await.unwrap(), b'a');
    assert_eq!(within(during.0.read_u8()).await.unwrap(), b'b');
}

#[tokio::test]
async fn reset_ends_open_connections_and_new_ones() {
    let proxy = proxy_to(echo().await).await;
    let mut open = Client::connect(&proxy).await;
    open.round_trip().await.unwrap();
    inject(&proxy, 1, Reset::new(Duration::ZERO)).await;
    let error = within(open.0.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(Client::attempt(&proxy).await.is_err());
    assert_eq!(revert(&proxy, 1).await.connections, 2);
    Client::connect(&proxy).await.round_trip().await.unwrap();
}

#[tokio::test]
async fn a_share_of_connections_is_reset_and_the_others_are_not() {
    let proxy = proxy_to(echo().await).await;
    inject(&proxy, 1, Reset::new(Duration::ZERO).share(0.5)).await;
    let mut reset = 0;
    for _ in 0..40 {
        reset += u64::from(Client::attempt(&proxy).await.is_err());
    }
    assert!((8..=32).contains(&reset), "{reset} of 40");
    assert_eq!(revert(&proxy, 1).await.connections, reset);
}

#[tokio::test]
async fn refuse_closes_the_listener_and_opens_it_again_at_the_same_port() {
    for (open, survives) in [(OpenConnections::Reset, false), (OpenConnections::Keep, true)] {
        let port = super::free_port();
        let listen = ([127, 0, 0, 1], port).into();
        let proxy = proxy_at(listen, echo().await).await;
        let mut before = Client::connect(&proxy).await;
        before.round_trip().await.unwrap();
        inject(&proxy, 1, Refuse::new(open)).await;
        let refused = within(TcpStream::connect(listen)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(before.round_trip().await.is_ok(), survives);
        assert_eq!(revert(&proxy, 1).await.connections, u64::from(!survives));
        Client::connect(&proxy).await.round_trip().await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_close_delays_the_end_and_no_byte_before_it() {
    let proxy = proxy_to(sender(10).await).await;
    inject(&proxy, 1, SlowClose::new(FOREVER)).await;
    let (mut client, mut bytes) = (Client::connect(&proxy).await, [0; 10]);
    within(client.0.read_exact(&mut bytes)).await.unwrap();
    assert!(client.hears_nothing_for(SHORT).await);
    assert_eq!(revert(&proxy, 1).await.connections, 1);
    assert!(client.read_all().await.0.is_empty());
}

#[tokio::test]
async fn a_data_limit_lets_exactly_that_many_bytes_pass() {
    let proxy = proxy_to(sender(100_000).await).await;
    inject(&proxy, 1, DataLimit::new(12_345)).await;
    assert_eq!(Client::connect(&proxy).await.read_all().await.0.len(), 12_345);
    assert_eq!(revert(&proxy, 1).await.connections, 1);
    assert_eq!(Client::connect(&proxy).await.read_all().await.0.len(), 100_000);
}

#[tokio::test]
async fn slicing_cuts_a_chunk_into_pieces_and_loses_no_byte() {
    let proxy = proxy_to(sender(200).await).await;
    inject(&proxy, 1, Slicing::new(16, Duration::from_millis(5))).await;
    let mut client = Client::connect(&proxy).await;
    let (mut pieces, mut total, mut buffer) = (0, 0, [0; 1000]);
    loop {
        match within(client.0.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => (pieces, total) = (pieces + 1, total + read),
        }
    }
    // A reader that is slow may find several pieces at once.
    assert!(total == 200 && pieces > 3, "{total} in {pieces}");
    assert_eq!(revert(&proxy, 1).await.chunks, 1);
}

#[tokio::test]
async fn a_toxic_without_traffic_has_no_hits() {
    let proxy = proxy_to(echo().await).await;
    let mut client = Client::connect(&proxy).await;
    client.round_trip().await.unwrap();
    inject(&proxy, 1, Latency::new(Duration::from_millis(1))).await;
    inject(&proxy, 2, Slicing::new(100, Duration::ZERO)).await;
    inject(&proxy, 3, DataLimit::new(1000)).await;
    revert(&proxy, 1).await;
    client.round_trip().await.unwrap();
    for id in 1..=4 {
        assert!(proxy.hits(ToxicId(id)).is_empty(), "{id}");
    }
}

#[tokio::test]
async fn a_dropped_proxy_closes_its_connections() {
    let proxy = proxy_to(echo().await).await;
    let (address, mut client) = (proxy.address(), Client::connect(&proxy).await);
    client.round_trip().await.unwrap();
    drop(proxy);
    assert!(matches!(within(client.0.read(&mut [0])).await, Ok(0) | Err(_)));
    let gone = within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    gone.await;
}

#[tokio::test]
async fn a_guard_reverts_its_toxic_when_it_is_dropped() {
    let proxy = proxy_to(echo().await).await;
    let mut client = Client::connect(&proxy).await;
    let blackhole = proxy.inject(Blackhole::new(Directions::Both)).await.unwrap();
    let other = proxy
        .inject(Latency::new(Duration::from_millis(1)))
        .await
        .unwrap();
    assert_ne!(blackhole.id(), other.id());
    client.0.write_all(b"ping").await.unwrap();
    assert!(client.hears_nothing_for(SHORT).await);
    drop(blackhole);
    assert_eq!(within(client.0.read_u8()).await.unwrap(), b'p');
    assert_eq!(within(other.revert()).await.unwrap().connections, 1);
}

#[tokio::test]
async fn a_guard_waits_until_the_port_is_open_again() {
    let proxy = proxy_to(echo().await).await;
    let refuse = proxy.inject(Refuse::default()).await.unwrap();
    let refused = within(TcpStream::connect(proxy.address())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    within(refuse.revert()).await.unwrap();
    Client::connect(&proxy).await.round_trip().await.unwrap();
}

#[tokio::test]
async fn a_toxic_without_effect_is_an_error() {
    let proxy = proxy_to(echo().await).await;
    let error = proxy.inject(Latency::new(Duration::ZERO)).await.unwrap_err();
    assert!(matches!(error, Error::InvalidToxic(_)), "{error}");
}
