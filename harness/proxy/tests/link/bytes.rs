//! Toxics on bytes and connections: what each disturbs, and that taking it off restores.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use firedrill_proxy::{
    Bandwidth, Blackhole, DataLimit, HELD_BYTES, Latency, Link, Open, Refuse, Reset, Slicing, SlowClose,
    Speaks, ToxicId, Ways,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::peers::{Client, echo, sender, serve, within};
use crate::{LONG, SHORT, inject, link_to, revert};

#[tokio::test]
async fn without_toxics_everything_goes_through_and_a_half_close_as_one() {
    let service = serve(|mut stream| async move {
        let mut asked = Vec::new();
        stream.read_to_end(&mut asked).await?;
        stream.write_all(&asked).await?;
        stream.shutdown().await
    })
    .await;
    let link = link_to(service).await;
    let mut client = Client::connect(&link).await;
    let sent: Vec<u8> = (0..1_000_000u32).map(|n| n.to_le_bytes()[1]).collect();
    within(client.0.write_all(&sent)).await.unwrap();
    client.0.shutdown().await.unwrap();
    assert!(client.read_all().await.0 == sent);
}

#[tokio::test]
async fn a_reset_goes_through_as_one() {
    let service = serve(|mut stream| async move {
        stream.read_u8().await?;
        stream.set_zero_linger()
    })
    .await;
    let mut client = Client::connect(&link_to(service).await).await;
    client.0.write_all(b"!").await.unwrap();
    let error = within(client.0.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_side_that_does_not_read_holds_up_the_other() {
    let service = serve(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Ok(())
    })
    .await;
    let link = link_to(service).await;
    inject(&link, 1, Latency::of(Duration::from_secs(60)).on(Ways::Both)).await;
    let mut client = Client::connect(&link).await;
    let block = vec![0; 1 << 16];
    let mut taken = 0;
    while let Ok(written) = tokio::time::timeout(SHORT, client.0.write(&block)).await {
        taken += written.unwrap();
    }
    // What the link holds, and what the system's socket buffers do.
    assert!(taken < HELD_BYTES + (16 << 20), "{taken} bytes were taken");
}

#[tokio::test]
async fn latency_is_felt_by_every_chunk_of_a_kept_connection_and_ends() {
    let link = link_to(echo().await).await;
    let mut client = Client::connect(&link).await;
    assert!(client.round_trip().await.unwrap() < SHORT);
    inject(&link, 1, Latency::of(LONG)).await;
    for _ in 0..3 {
        assert!(client.round_trip().await.unwrap() > SHORT);
    }
    let hits = revert(&link, 1).await;
    assert_eq!((hits.connections, hits.chunks), (1, 3));
    assert!(client.round_trip().await.unwrap() < SHORT);
}

#[tokio::test]
async fn what_latency_holds_passes_when_it_is_taken_off() {
    let link = link_to(echo().await).await;
    inject(&link, 1, Latency::of(Duration::from_secs(60))).await;
    let mut client = Client::connect(&link).await;
    client.0.write_all(b"ping").await.unwrap();
    assert!(client.hears_nothing_for(SHORT).await);
    revert(&link, 1).await;
    assert_eq!(within(client.0.read_u8()).await.unwrap(), b'p');
}

#[tokio::test]
async fn bandwidth_slows_down_and_is_shared_by_all_connections() {
    let link = link_to(sender(50_000).await).await;
    inject(&link, 1, Bandwidth::of(100_000)).await;
    let began = Instant::now();
    let (mut one, mut other) = (Client::connect(&link).await, Client::connect(&link).await);
    let ((one, _), (other, _)) = tokio::join!(one.read_all(), other.read_all());
    assert_eq!((one.len(), other.len()), (50_000, 50_000));
    assert!(
        began.elapsed() > Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    assert!(!revert(&link, 1).await.is_none());
    let (all, took) = Client::connect(&link).await.read_all().await;
    assert_eq!(all.len(), 50_000);
    assert!(took < SHORT, "{took:?}");
}

#[tokio::test]
async fn a_blackhole_keeps_connections_open_and_silent_and_then_lets_everything_arrive() {
    let link = link_to(echo().await).await;
    let mut before = Client::connect(&link).await;
    before.round_trip().await.unwrap();
    inject(&link, 1, Blackhole::on(Ways::Both)).await;
    let mut during = Client::connect(&link).await;
    before.0.write_all(b"a").await.unwrap();
    during.0.write_all(b"b").await.unwrap();
    assert!(before.hears_nothing_for(SHORT).await && during.hears_nothing_for(SHORT).await);
    assert_eq!(revert(&link, 1).await.connections, 2);
    assert_eq!(within(before.0.read_u8()).await.unwrap(), b'a');
    assert_eq!(within(during.0.read_u8()).await.unwrap(), b'b');
}

#[tokio::test]
async fn reset_tears_down_what_is_open_and_what_comes() {
    let link = link_to(echo().await).await;
    let mut open = Client::connect(&link).await;
    open.round_trip().await.unwrap();
    inject(&link, 1, Reset::after(Duration::ZERO)).await;
    let error = within(open.0.read_u8()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(Client::attempt(&link).await.is_err());
    assert_eq!(revert(&link, 1).await.connections, 2);
    Client::connect(&link).await.round_trip().await.unwrap();
}

#[tokio::test]
async fn a_share_of_connections_is_reset_and_the_others_are_not() {
    let link = link_to(echo().await).await;
    inject(&link, 1, Reset::after(Duration::ZERO).share(0.5)).await;
    let mut reset = 0;
    for _ in 0..40 {
        reset += u64::from(Client::attempt(&link).await.is_err());
    }
    assert!((8..=32).contains(&reset), "{reset} of 40");
    assert_eq!(revert(&link, 1).await.connections, reset);
}

#[tokio::test]
async fn refuse_closes_the_listener_and_opens_it_again_at_the_same_port() {
    for (open, survives) in [(Open::Reset, false), (Open::Kept, true)] {
        let port = super::free_port();
        let listen = ([127, 0, 0, 1], port).into();
        let link = Link::open(listen, echo().await, Speaks::Bytes, 7).await.unwrap();
        let mut before = Client::connect(&link).await;
        before.round_trip().await.unwrap();
        inject(&link, 1, Refuse::with(open)).await;
        let refused = within(TcpStream::connect(listen)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(before.round_trip().await.is_ok(), survives);
        assert_eq!(revert(&link, 1).await.connections, u64::from(!survives));
        Client::connect(&link).await.round_trip().await.unwrap();
    }
}

#[tokio::test]
async fn a_slow_close_delays_the_end_and_nothing_before_it() {
    let link = link_to(sender(10).await).await;
    inject(&link, 1, SlowClose::of(LONG)).await;
    let mut client = Client::connect(&link).await;
    let (began, mut bytes) = (Instant::now(), [0; 10]);
    within(client.0.read_exact(&mut bytes)).await.unwrap();
    assert!(began.elapsed() < SHORT);
    let (rest, took) = client.read_all().await;
    assert!(rest.is_empty() && took > SHORT, "{took:?}");
    drop(client);
    assert!(revert(&link, 1).await.connections == 1);
    assert!(Client::connect(&link).await.read_all().await.1 < SHORT);
}

#[tokio::test]
async fn a_data_limit_lets_exactly_so_many_bytes_pass() {
    let link = link_to(sender(100_000).await).await;
    inject(&link, 1, DataLimit::of(12_345)).await;
    assert_eq!(Client::connect(&link).await.read_all().await.0.len(), 12_345);
    assert_eq!(revert(&link, 1).await.connections, 1);
    assert_eq!(Client::connect(&link).await.read_all().await.0.len(), 100_000);
}

#[tokio::test]
async fn slicing_cuts_what_was_sent_at_once_and_loses_nothing() {
    let link = link_to(sender(200).await).await;
    inject(&link, 1, Slicing::of(16, Duration::from_millis(5))).await;
    let mut client = Client::connect(&link).await;
    let (mut pieces, mut total, mut buffer) = (0, 0, [0; 1000]);
    loop {
        match within(client.0.read(&mut buffer)).await.unwrap() {
            0 => break,
            read => (pieces, total) = (pieces + 1, total + read),
        }
    }
    // A reader that is slow may find several pieces at once.
    assert!(total == 200 && pieces > 3, "{total} in {pieces}");
    assert_eq!(revert(&link, 1).await.chunks, 1);
}

#[tokio::test]
async fn a_toxic_that_nothing_meets_has_hit_nothing() {
    let link = link_to(echo().await).await;
    let mut client = Client::connect(&link).await;
    client.round_trip().await.unwrap();
    inject(&link, 1, Latency::of(Duration::from_millis(1))).await;
    inject(&link, 2, Slicing::of(100, Duration::ZERO)).await;
    inject(&link, 3, DataLimit::of(1000)).await;
    revert(&link, 1).await;
    client.round_trip().await.unwrap();
    for id in 1..=4 {
        assert!(link.hits(ToxicId(id)).is_none(), "{id}");
    }
}

#[tokio::test]
async fn a_link_that_is_dropped_takes_its_connections_with_it() {
    let link = link_to(echo().await).await;
    let (address, mut client) = (link.address(), Client::connect(&link).await);
    client.round_trip().await.unwrap();
    drop(link);
    assert!(matches!(within(client.0.read(&mut [0])).await, Ok(0) | Err(_)));
    let gone = within(async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    });
    gone.await;
}
