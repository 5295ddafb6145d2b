//! Attacks that never succeeded: they are to be withstood for ever.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::ensure;
use preamp_tests::any_sender::{Anything, send_grpc, send_http};
use preamp_tests::hostile_payloads::{
    arrays, deep_json, digits, groups, gzip_bomb, lies, truncated, zlib_bomb, zstd_bomb,
};
use preamp_tests::http2_wire::{END_HEADERS, END_STREAM, Heard, Wire, call, field, frame, kind};
use preamp_tests::payloads::{self, gauge, integer_point, metrics, text};
use preamp_tests::running::post;

use crate::hostile::rig::{Attacked, Keys, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn bombs_of_a_gibibyte_are_refused_at_once() -> anyhow::Result<()> {
    let attacked = Attacked::in_pod(Keys::default())?;
    let bombs = [("gzip", gzip_bomb(64)), ("deflate", zlib_bomb(64)), ("zstd", zstd_bomb(64))];
    for (packing, bomb) in bombs {
        ensure!(bomb.len() > 10_000, "{packing}: a dud");
        let request = Anything::packed(packing, packing, bomb);
        let began = Instant::now();
        let answer = send_http(attacked.preamp.http, &request).await?;
        ensure!(answer.code == 413 && began.elapsed() < Duration::from_secs(1), "{packing}: {answer:?}");
        // gRPC knows no deflate.
        if packing != "deflate" {
            let began = Instant::now();
            let answer = send_grpc(attacked.preamp.grpc, &request).await?;
            ensure!(answer.code == 8 && began.elapsed() < Duration::from_secs(1), "{packing}: {answer:?}");
        }
    }
    attacked.survives(PATIENCE)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_nest_lie_or_end_early_are_answered_at_once() -> anyhow::Result<()> {
    let attacked = Attacked::in_pod(Keys::default())?;
    let mut requests = vec![
        Anything::protobuf("5,000,000 groups", groups(5_000_000)),
        Anything::protobuf("1,500,000 arrays", arrays(1_500_000)),
        Anything::json("1,000,000 levels of JSON", deep_json(1_000_000)),
        Anything::json("1,000,000 digits", digits(1_000_000)),
    ];
    requests.extend(
        lies().into_iter().enumerate().map(|(number, lie)| Anything::protobuf(format!("lie {number}"), lie)),
    );
    requests.extend((0..20).map(|tenth| {
        Anything::protobuf(format!("cut off at {tenth}"), truncated(10, f64::from(tenth) / 20.0))
    }));
    for request in &requests {
        let began = Instant::now();
        let answer = send_http(attacked.preamp.http, request).await?;
        let (took, code) = (began.elapsed(), answer.code);
        ensure!(
            [200, 400, 413].contains(&code) && took < PATIENCE,
            "{}: {answer:?} after {took:?}",
            request.name
        );
    }
    attacked.survives(PATIENCE)?;
    Ok(())
}

/// All that a server answers to some bytes, until it closes the connection or says nothing for a while.
fn answer_to(to: SocketAddr, bytes: &[u8]) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_millis(400)))?;
    stream.write_all(bytes)?;
    let mut answer = Vec::new();
    let _until_it_pauses = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A request within a request: were it seen as one, it would be answered 404.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[test]
fn heads_that_two_servers_would_read_differently_are_refused_or_the_connection_is_closed()
-> anyhow::Result<()> {
    let attacked = Attacked::start(Keys::default())?;
    let length = HIDDEN.len();
    let cases = [
        ("both lengths", format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n")),
        ("both, the other way", format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n")),
        ("two lengths", format!("content-length: 0\r\ncontent-length: {length}\r\n")),
        ("two lengths in one field", format!("content-length: 0, {length}\r\n")),
        ("a length with a sign", "content-length: +0\r\n".to_owned()),
        ("a negative length", "content-length: -1\r\n".to_owned()),
        ("a length in hexadecimal", format!("content-length: 0x{length:x}\r\n")),
        ("a length beyond all numbers", "content-length: 99999999999999999999999\r\n".to_owned()),
        ("a folded field", format!("x: y\r\n content-length: {length}\r\ncontent-length: 0\r\n")),
        ("a space before the colon", format!("content-length : {length}\r\n")),
        ("a line feed alone", format!("x: y\ncontent-length: {length}\n\r\n")),
        ("a carriage return alone", format!("x: y\rcontent-length: {length}\r\n")),
        ("a null character", "x: y\0z\r\ncontent-length: 0\r\n".to_owned()),
        ("a coding that is not chunked", "transfer-encoding: xchunked\r\n".to_owned()),
        ("chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n".to_owned()),
        ("chunked, but not last", "transfer-encoding: chunked, identity\r\n".to_owned()),
    ];
    let answers = |fields: &str| -> anyhow::Result<Vec<String>> {
        let head = "POST /v1/metrics HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-protobuf\r\n";
        let answer = answer_to(attacked.preamp.http, format!("{head}{fields}\r\n{HIDDEN}").as_bytes())?;
        let lines = answer.lines().filter(|line| line.starts_with("HTTP/1.1 "));
        Ok(lines.map(ToOwned::to_owned).collect())
    };
    // A request after a whole one is seen, or nothing below would show anything.
    let ordinary = answers("content-length: 0\r\n")?;
    ensure!(ordinary == ["HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found"], "{ordinary:?}");
    let mut wrong = Vec::new();
    for (name, fields) in cases {
        let answers = answers(&fields)?;
        println!("{name}: {answers:?}");
        // One that does not hide anything may be answered first, but never a second one after a doubtful head.
        if answers.len() > 1 || answers.iter().any(|answer| answer.contains(" 404 ")) {
            wrong.push(format!("{name}: {answers:?}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    attacked.survives(PATIENCE)?;
    Ok(())
}

/// An attack on HTTP/2: what it is, and the frames that are sent again and again, by the number of the round.
type Flood = (&'static str, fn(u32) -> Vec<u8>);

const FLOODS: [Flood; 7] = [
    ("streams that are reset at once", |round| {
        let stream = round * 2 + 1;
        [
            frame(kind::HEADERS, END_HEADERS, stream, &call()),
            frame(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    }),
    ("a head that never ends", |round| {
        let part = field("x", "y");
        let (of, flags) = if round == 0 { (kind::HEADERS, END_STREAM) } else { (kind::CONTINUATION, 0) };
        frame(of, flags, 1, &if round == 0 { [call(), part].concat() } else { part.repeat(100) })
    }),
    ("frames of no data", |round| {
        let opening = if round == 0 { frame(kind::HEADERS, END_HEADERS, 1, &call()) } else { Vec::new() };
        [opening, frame(kind::DATA, 0, 1, &[])].concat()
    }),
    ("a head that unpacks to much", |round| {
        // A field of 4,000 bytes put into the table (literal with incremental indexing), and then named many times.
        let mut long = field("x", &"y".repeat(4_000));
        long[0] = 0x40;
        let block = [call(), long, vec![0xbe; 4_000]].concat();
        frame(kind::HEADERS, END_HEADERS | END_STREAM, round * 2 + 1, &block)
    }),
    ("settings", |_| frame(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0xff, 0xff])),
    ("pings", |_| frame(kind::PING, 0, 0, &[7; 8])),
    ("streams that ask for nothing and read nothing", |round| {
        frame(kind::HEADERS, END_HEADERS | END_STREAM, round * 2 + 1, &call())
    }),
];

#[test]
fn floods_of_http2_frames_end_the_connection_or_stay_small() -> anyhow::Result<()> {
    const ROUNDS: u32 = 20_000;
    let attacked = Attacked::in_pod(Keys::default())?;
    let mut wrong = Vec::new();
    for (name, frames) in FLOODS {
        for (port, to) in [("gRPC", attacked.preamp.grpc), ("HTTP", attacked.preamp.http)] {
            let mut wire = Wire::open(to)?;
            let mut sent = 0;
            for rounds in (0..ROUNDS).collect::<Vec<_>>().chunks(100) {
                let bytes: Vec<u8> = rounds.iter().flat_map(|round| frames(*round)).collect();
                if wire.send(&bytes).is_err() {
                    break;
                }
                sent += rounds.len();
            }
            let Heard { goaway, resets, heads, ended, .. } = wire.heard();
            let memory = attacked.memory_mib();
            let ended = ended.is_some();
            println!(
                "{name}, {port}: {sent} rounds, GOAWAY {goaway:?}, {resets} resets, {heads} answers, ended: {ended}, {memory:.0?} MiB"
            );
            if memory.is_none_or(|mebibytes| mebibytes > 150.0) {
                wrong.push(format!("{name}, {port}: {memory:?} MiB"));
            }
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    attacked.survives(PATIENCE)?;
    Ok(())
}

#[test]
fn names_that_are_new_each_time_leave_no_trace_in_memory() -> anyhow::Result<()> {
    const NAMES: usize = 5_000;
    let attacked = Attacked::start(Keys::default())?;
    let send = |round: usize| {
        let name = |number: usize| format!("shop.name.{round}.{number}");
        let metric = |number: usize| {
            let mut point = integer_point(vec![text(&name(number), "x")], 1);
            point.time_unix_nano = payloads::now_ms().unsigned_abs() * 1_000_000;
            gauge(&name(number), "", vec![point])
        };
        post(attacked.preamp.http, &metrics((0..NAMES).map(metric).collect()))
    };
    (0..20).try_for_each(send)?;
    let before = attacked.memory_mib();
    (20..80).try_for_each(send)?;
    let after = attacked.memory_mib();
    println!("{before:?} MiB after 100,000 names, {after:?} MiB after 400,000");
    let grew = before.zip(after).map(|(before, after)| after - before);
    ensure!(grew.is_some_and(|mebibytes| mebibytes < 15.0), "{grew:?} MiB more for 300,000 names");
    attacked.survives(PATIENCE)?;
    Ok(())
}
