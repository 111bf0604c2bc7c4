//! Several toxics at once: effects are computed from the list, so the order of reverts does not matter.

use std::io::ErrorKind;
use std::time::Duration;

use firedrill_proxy::{Blackhole, DataLimit, Directions, Latency, Refuse, Slicing, ToxicId};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::peers::{Client, echo, sender, within};
use crate::{FOREVER, LONG, SHORT, inject, proxy_at, proxy_to, revert};

#[tokio::test]
async fn latencies_add_up_and_revert_in_any_order() {
    for order in [[1, 2], [2, 1]] {
        let proxy = proxy_to(echo().await).await;
        let mut client = Client::connect(&proxy).await;
        inject(&proxy, 1, Latency::new(LONG)).await;
        inject(&proxy, 2, Latency::new(LONG).on(Directions::Requests)).await;
        assert!(client.round_trip().await.unwrap() > LONG + SHORT);
        let first = revert(&proxy, order[0]).await;
        assert!(client.round_trip().await.unwrap() > SHORT);
        let second = revert(&proxy, order[1]).await;
        client.round_trip().await.unwrap();
        assert_eq!((first.chunks, second.chunks), (1, 2));
        assert_eq!(proxy.hits(ToxicId(order[0])), first);
        assert_eq!(proxy.hits(ToxicId(order[1])), second);
    }
}

#[tokio::test]
async fn nothing_passes_until_both_blackhole_and_latency_are_reverted() {
    for order in [[1, 2], [2, 1]] {
        let proxy = proxy_to(echo().await).await;
        let mut client = Client::connect(&proxy).await;
        inject(&proxy, 1, Blackhole::new(Directions::Answers)).await;
        inject(&proxy, 2, Latency::new(FOREVER)).await;
        client.0.write_all(b"ping").await.unwrap();
        assert!(client.hears_nothing_for(SHORT).await);
        revert(&proxy, order[0]).await;
        assert!(client.hears_nothing_for(SHORT).await, "{order:?}");
        revert(&proxy, order[1]).await;
        assert!(!client.hears_nothing_for(Duration::from_secs(20)).await);
    }
}

#[tokio::test]
async fn a_port_stays_closed_until_the_last_refuse_is_reverted() {
    for order in [[1, 2], [2, 1]] {
        let listen = ([127, 0, 0, 1], super::free_port()).into();
        let proxy = proxy_at(listen, echo().await).await;
        inject(&proxy, 1, Refuse::default()).await;
        inject(&proxy, 2, Refuse::default()).await;
        revert(&proxy, order[0]).await;
        let refused = within(TcpStream::connect(listen)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        revert(&proxy, order[1]).await;
        Client::connect(&proxy).await.round_trip().await.unwrap();
    }
}

#[tokio::test]
async fn the_smallest_data_limit_applies_and_slices_do_not_change_it() {
    let proxy = proxy_to(sender(5_000).await).await;
    inject(&proxy, 1, DataLimit::new(3_000)).await;
    inject(&proxy, 2, DataLimit::new(2_000)).await;
    inject(&proxy, 3, Slicing::new(700, Duration::ZERO)).await;
    assert_eq!(Client::connect(&proxy).await.read_all().await.0.len(), 2_000);
    revert(&proxy, 2).await;
    assert_eq!(Client::connect(&proxy).await.read_all().await.0.len(), 3_000);
}

#[tokio::test]
async fn a_second_inject_or_revert_of_an_id_changes_nothing() {
    let proxy = proxy_to(echo().await).await;
    let mut client = Client::connect(&proxy).await;
    inject(&proxy, 1, Latency::new(LONG)).await;
    inject(&proxy, 1, Latency::new(FOREVER)).await;
    assert!(client.round_trip().await.unwrap() > SHORT);
    let hits = revert(&proxy, 1).await;
    assert_eq!(revert(&proxy, 1).await, hits);
    client.round_trip().await.unwrap();
    assert_eq!(proxy.hits(ToxicId(1)), hits);
}
