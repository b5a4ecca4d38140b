//! Where the two services listen: always on loopback, and at the same place again where a state file remembers one.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use tokio::net::TcpListener;

/// The ports that a new sandbox chooses from: below those that systems hand out by themselves.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
/// How many random ports are tried before giving up.
const TRIES: u32 = 50;

/// The listeners of both services.
pub(super) struct Listeners {
    pub keycloak: TcpListener,
    pub graph: TcpListener,
}

/// Listens where somebody said to, else where the services were served before, else anywhere.
///
/// `remembered` is what the state file holds; `lasting` says that the addresses will be remembered, so that they have to be
/// ones that are likely to be free the next time as well.
pub(super) async fn listen(
    asked: (Option<SocketAddr>, Option<SocketAddr>),
    remembered: Option<(SocketAddr, SocketAddr)>,
    lasting: Option<&Path>,
) -> io::Result<Listeners> {
    let host = lasting_host(lasting.is_some() && remembered.is_none()).await;
    let (keycloak_before, graph_before) = remembered.unzip();
    let keycloak = listen_one("Keycloak", asked.0, keycloak_before, host, lasting).await?;
    let graph = listen_one("Graph", asked.1, graph_before, host, lasting).await?;
    Ok(Listeners { keycloak, graph })
}

async fn listen_one(
    service: &str,
    asked: Option<SocketAddr>,
    before: Option<SocketAddr>,
    host: IpAddr,
    lasting: Option<&Path>,
) -> io::Result<TcpListener> {
    if let Some(address) = asked {
        if !address.ip().is_loopback() {
            let text = format!(
                "the sandbox's {service} cannot listen on {address}: its logins are known to everybody, so it listens on loopback addresses only"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        return TcpListener::bind(address).await.map_err(|error| {
            let text = format!("the sandbox's {service} cannot listen on {address}: {error}");
            io::Error::new(error.kind(), text)
        });
    }
    match (before, lasting) {
        (Some(address), Some(path)) => TcpListener::bind(address).await.map_err(|error| {
            let path = path.display();
            let text = format!(
                "the sandbox's {service} cannot listen on {address} again: {error}; plans made in this sandbox carry that address, so end what uses it (another run of the same sandbox?), or delete {path} to begin a new one"
            );
            io::Error::new(error.kind(), text)
        }),
        (None, Some(_)) => listen_on_a_random_port(host).await,
        _ => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
    }
}

/// A random loopback address, so that two sandboxes hardly ever meet; some systems have no other than 127.0.0.1.
async fn lasting_host(needed: bool) -> IpAddr {
    let [one, two, three, ..] = *uuid::Uuid::new_v4().as_bytes();
    let random = Ipv4Addr::new(127, one, two, three.clamp(1, 254));
    if needed && TcpListener::bind((random, 0)).await.is_ok() {
        IpAddr::V4(random)
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }
}

async fn listen_on_a_random_port(host: IpAddr) -> io::Result<TcpListener> {
    let mut tries = 0;
    loop {
        let (_, random, ..) = uuid::Uuid::new_v4().as_fields();
        let port = PORTS.start + random % (PORTS.end - PORTS.start);
        match TcpListener::bind((host, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}
