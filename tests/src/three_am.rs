//! What goes wrong at three in the morning: the faults of the operator's table, by their names. Whoever tests what an
//! operator sees of a fault (the log, the alert, `check`, `queue status`) takes them from here.

/// What a receiver does, or what else is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The receiver answers everything like this.
    Answers {
        /// The status.
        status: u16,
        /// Its words.
        text: &'static str,
    },
    /// The receiver is AMP, and the key, the secret or the region of the signer is another one.
    WrongKey,
    /// See `WrongKey`.
    WrongSecret,
    /// See `WrongKey`.
    WrongRegion,
    /// The clock of AMP is another one than that of this machine.
    Clock,
    /// No such host.
    NoName,
    /// Nothing listens there.
    Refused,
    /// It takes requests and says nothing.
    Hangs,
    /// The proxy that leads there is away.
    NoProxy,
    /// Nothing is free on the disk of the queue, and the receiver is away.
    DiskFull,
    /// The queue in memory is full, since the receiver is away.
    QueueFull,
    /// The process is killed, as the kernel does for its memory.
    Killed,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// What is wrong.
    pub fault: Fault,
    /// Whether the receiver is AMP by its address.
    pub is_amp: bool,
    /// Words that stand in one line of the log.
    pub says: &'static [&'static str],
    /// The alert that fires.
    pub alert: &'static str,
}

const AWAY: &str = "PreampQueueExpires";

/// All rows.
pub const ROWS: [Row; 19] = [
    held("wrong region", Fault::WrongRegion, &["level=ERROR", "region", "remedy="]),
    held("wrong key", Fault::WrongKey, &["level=ERROR", "access key", "remedy="]),
    held("wrong secret", Fault::WrongSecret, &["level=ERROR", "secret", "remedy="]),
    held("denied", of(403, DENIED), &["level=ERROR", "aps:RemoteWrite", "remedy="]),
    held("expired keys", of(403, EXPIRED), &["level=ERROR", "renew the temporary credentials", "remedy="]),
    held(
        "wrong workspace",
        of(404, "{\"message\":\"Workspace not found\"}"),
        &["level=ERROR", "workspace id", "remedy="],
    ),
    Row { is_amp: true, ..away("clock", Fault::Clock, &["level=WARN", "NTP"], "PreampClockOff") },
    away("DNS", Fault::NoName, &["level=WARN", "no answer", "waiting_points=", "preamp check"], AWAY),
    away("refused", Fault::Refused, &["level=WARN", "no answer", "waiting_points=", "preamp check"], AWAY),
    away("hang", Fault::Hangs, &["level=WARN", "no answer", "waiting_points=", "preamp check"], AWAY),
    away("proxy needed", Fault::NoProxy, &["level=WARN", "proxy", "waiting_points="], AWAY),
    away(
        "503",
        of(503, "upstream connect error"),
        &["level=WARN", "503: upstream", "oldest=", "down or overloaded"],
        AWAY,
    ),
    away(
        "429",
        of(429, "ingestion rate limit (10) exceeded"),
        &["level=WARN", "429", "oldest=", "limit raised"],
        AWAY,
    ),
    Row {
        is_amp: true,
        ..away(
            "400, AMP",
            of(400, UNTIMELY),
            &["level=ERROR", "points=", "out of order", "remedy="],
            "PreampLosesMuch",
        )
    },
    away(
        "400, Prometheus",
        of(400, "duplicate sample for timestamp"),
        &["level=ERROR", "points=", "state=rejected", "example=", "remedy="],
        "PreampLosesMuch",
    ),
    away(
        "400, Prometheus, with a queue on disk",
        Fault::Answers { status: 400, text: UNTIMELY_ON_DISK },
        &["level=ERROR", "points=", "state=quarantined", "example=", "remedy="],
        "PreampLosesMuch",
    ),
    away(
        "disk full",
        Fault::DiskFull,
        &["level=WARN", "reason=disk", "payloads=", "min_free_disk_bytes (now "],
        "PreampQueueFull",
    ),
    away(
        "memory queue full",
        Fault::QueueFull,
        &["level=WARN", "reason=payloads", "payloads=", "remote_write_queue.queue_size (now 2)"],
        "PreampQueueFull",
    ),
    away("killed for memory", Fault::Killed, &["level=INFO", "state=ready"], "PreampDown"),
];

const DENIED: &str = "{\"Message\":\"User: arn:aws:iam::1:user/u is not authorized to perform: aps:RemoteWrite on resource: arn:aws:aps:eu-west-1:1:workspace/ws-1\"}";
const EXPIRED: &str = "{\"message\":\"The security token included in the request is expired\"}";
const UNTIMELY: &str =
    "user=1_ws-1: err: out of order sample. timestamp=2026-12-01T16:00:00Z, series={__name__=\"m\"}";

/// Other words of the same, by which a test knows that the queue is on disk.
pub const UNTIMELY_ON_DISK: &str = "out of order sample";

const fn of(status: u16, text: &'static str) -> Fault {
    Fault::Answers { status, text }
}

const fn held(name: &'static str, fault: Fault, says: &'static [&'static str]) -> Row {
    Row { name, fault, is_amp: true, says, alert: "PreampHeld" }
}

const fn away(name: &'static str, fault: Fault, says: &'static [&'static str], alert: &'static str) -> Row {
    Row { name, fault, is_amp: false, says, alert }
}
