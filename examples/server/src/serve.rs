//! Serves connections: bounded in number and in patience, and finished before the server stops.
//!
//! # Security
//!
//! A client that sends its request head byte by byte holds a connection for the header timeout at
//! most (Slowloris); one that asks and takes nothing of the answers, for the write timeout. Past the
//! connection limit, and while the process is out of file handles, new connections wait in the
//! system's queue; those that are served go on.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use tokio_io_timeout::TimeoutWriter;
use tower::Service as _;
use usso_core::Usso;

/// The longest request head.
const HEAD_BYTES: usize = 64 * 1024;
/// How long requests that run may take to finish after the server was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// How long to wait when the system has no handle for another connection.
const OUT_OF_HANDLES: Duration = Duration::from_millis(500);
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// What connections are held to.
pub(crate) struct Bounds {
    /// Connections at once.
    pub(crate) connections: usize,
    /// Time for the head of a request, and for a connection to stay unused.
    pub(crate) header_timeout: Duration,
    /// How long a write may make no progress.
    pub(crate) write_timeout: Duration,
}

/// Serves until a signal to stop, then finishes the requests that run.
pub(crate) async fn run(listener: TcpListener, router: Router, bounds: &Bounds, stop: Stop) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let served = Served {
        http: builder(bounds),
        write_timeout: bounds.write_timeout,
        router,
        graceful: GracefulShutdown::new(),
    };
    let mut stop = pin!(stop.asked());
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = &mut stop => break,
            next = next => next,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, peer))) => served.serve(stream, peer, place),
            (_, Err(error)) => pause_after(&error).await,
            // Nobody closes the semaphore.
            (Err(_), _) => break,
        }
    }
    drop(listener);
    drain(served.graceful).await;
}

fn builder(bounds: &Bounds) -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(bounds.header_timeout)
        .max_buf_size(HEAD_BYTES)
        .keep_alive(true);
    http
}

struct Served {
    http: http1::Builder,
    write_timeout: Duration,
    router: Router,
    graceful: GracefulShutdown,
}

impl Served {
    fn serve(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "answers may be delayed");
        }
        let router = self.router.clone();
        let service = service_fn(move |request| {
            let mut request: Request<hyper::body::Incoming> = request;
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        let mut stream = TimeoutWriter::new(stream);
        stream.set_timeout(Some(self.write_timeout));
        let connection = self.http.serve_connection(TokioIo::new(Box::pin(stream)), service);
        let connection = self.graceful.watch(connection);
        tokio::spawn(async move {
            let _held = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, %peer, "connection ended");
            }
        });
    }
}

/// A connection that ended before it was accepted is that client's problem. Anything else, such as
/// no free file handle, would fail again at once.
async fn pause_after(error: &io::Error) {
    let of_client = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    );
    if !of_client {
        tracing::warn!(%error, "no connection can be accepted at the moment");
        sleep(OUT_OF_HANDLES).await;
    }
}

async fn drain(graceful: GracefulShutdown) {
    tracing::info!(connections = graceful.count(), "stopping");
    tokio::select! {
        () = graceful.shutdown() => tracing::info!("stopped"),
        () = sleep(DRAIN) => tracing::warn!("stopped; some requests did not finish"),
    }
}

/// Removes what has expired, once a minute, for as long as the server runs.
pub(crate) async fn keep_house(usso: Usso) {
    loop {
        sleep(HOUSEKEEPING).await;
        match usso.purge().await {
            Ok(purged) => tracing::debug!(purged, "expired records removed"),
            Err(fault) => tracing::warn!(%fault, "expired records stay for now"),
        }
    }
}

/// The signals on which the server stops.
pub(crate) struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stop {
    /// Takes the signals over from the system, which would end the process at once.
    ///
    /// # Errors
    ///
    /// What the system said.
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn asked(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Stop {
    #[expect(clippy::unnecessary_wraps, reason = "it can fail on other systems")]
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    async fn asked(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
