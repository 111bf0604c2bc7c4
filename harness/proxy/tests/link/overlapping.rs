//! Several toxics at once: their effects come from the list, so the order in which they go does not matter.

use std::io::ErrorKind;
use std::time::Duration;

use firedrill_proxy::{Blackhole, DataLimit, Latency, Link, Refuse, Slicing, Speaks, Ways};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::peers::{Client, echo, sender, within};
use crate::{LONG, SHORT, inject, link_to, revert};

#[tokio::test]
async fn latencies_add_up_and_go_one_by_one_in_any_order() {
    for order in [[1, 2], [2, 1]] {
        let link = link_to(echo().await).await;
        let mut client = Client::connect(&link).await;
        inject(&link, 1, Latency::of(LONG)).await;
        inject(&link, 2, Latency::of(LONG).on(Ways::Requests)).await;
        assert!(client.round_trip().await.unwrap() > LONG + SHORT);
        revert(&link, order[0]).await;
        let one = client.round_trip().await.unwrap();
        assert!(one > SHORT && one < LONG + SHORT, "{one:?}");
        revert(&link, order[1]).await;
        assert!(client.round_trip().await.unwrap() < SHORT);
    }
}

#[tokio::test]
async fn a_blackhole_holds_until_it_and_the_latency_are_both_gone_whichever_goes_first() {
    for order in [[1, 2], [2, 1]] {
        let link = link_to(echo().await).await;
        let mut client = Client::connect(&link).await;
        inject(&link, 1, Blackhole::on(Ways::Answers)).await;
        inject(&link, 2, Latency::of(Duration::from_secs(60))).await;
        client.0.write_all(b"ping").await.unwrap();
        assert!(client.hears_nothing_for(SHORT).await);
        revert(&link, order[0]).await;
        assert!(client.hears_nothing_for(SHORT).await, "{order:?}");
        revert(&link, order[1]).await;
        assert!(!client.hears_nothing_for(Duration::from_secs(20)).await);
    }
}

#[tokio::test]
async fn a_port_stays_closed_until_the_last_refusal_is_gone() {
    for order in [[1, 2], [2, 1]] {
        let listen = ([127, 0, 0, 1], super::free_port()).into();
        let link = Link::open(listen, echo().await, Speaks::Bytes, 7).await.unwrap();
        inject(&link, 1, Refuse::default()).await;
        inject(&link, 2, Refuse::default()).await;
        revert(&link, order[0]).await;
        let refused = within(TcpStream::connect(listen)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        revert(&link, order[1]).await;
        Client::connect(&link).await.round_trip().await.unwrap();
    }
}

#[tokio::test]
async fn the_smallest_limit_holds_and_slices_do_not_change_the_count() {
    let link = link_to(sender(5_000).await).await;
    inject(&link, 1, DataLimit::of(3_000)).await;
    inject(&link, 2, DataLimit::of(2_000)).await;
    inject(&link, 3, Slicing::of(700, Duration::ZERO)).await;
    assert_eq!(Client::connect(&link).await.read_all().await.0.len(), 2_000);
    revert(&link, 2).await;
    assert_eq!(Client::connect(&link).await.read_all().await.0.len(), 3_000);
}

#[tokio::test]
async fn putting_one_on_twice_and_taking_it_off_twice_changes_nothing() {
    let link = link_to(echo().await).await;
    let mut client = Client::connect(&link).await;
    inject(&link, 1, Latency::of(LONG)).await;
    inject(&link, 1, Latency::of(Duration::from_secs(60))).await;
    assert!(client.round_trip().await.unwrap() > SHORT);
    revert(&link, 1).await;
    revert(&link, 1).await;
    assert!(client.round_trip().await.unwrap() < SHORT);
}
