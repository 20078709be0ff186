//! Runs the binary.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

use crate::http::{Client, Json};

pub(crate) const PASSWORD: &str = "violet-Otter-93-lantern";
pub(crate) const ADMIN: &str = "admin@localhost";

/// A folder with a server's files, and the settings it is started with.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    /// An empty folder; hashing costs next to nothing, and no limit is in the way.
    pub(crate) fn new() -> Self {
        let mut place = Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() };
        for (name, value) in [
            ("USSO_LISTEN", "127.0.0.1:0"),
            ("USSO_HASHING_MEMORY_KIB", "8"),
            ("USSO_HASHING_ITERATIONS", "1"),
            ("USSO_HASHING_WAITING", "1000"),
            ("USSO_LIMIT_ACCOUNT_AND_SOURCE", "100000/1h"),
            ("USSO_LIMIT_ACCOUNT", "100000/1h"),
            ("USSO_LIMIT_SOURCE", "100000/1h"),
            ("USSO_LIMIT_REGISTRATION", "100000/1h"),
        ] {
            place.set(name, value);
        }
        place
    }

    /// As [`Self::new`], with the administrator's password given, and an issuer that does not change
    /// with the port: tokens outlive a restart.
    pub(crate) fn with_password() -> Self {
        let mut place = Self::new();
        place.set("USSO_ISSUER", "http://sso.test");
        place.set("SYSTEM_PASSWORD", PASSWORD);
        place
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.unset(name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.variables.retain(|(known, _)| known != name);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command in this folder, with these settings and no others.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        let log = self.path("log");
        let log = File::options().create(true).append(true).open(log);
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", env!("PATH"))
            .envs(self.variables.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(log.unwrap());
        command
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Starts the server and waits until it listens.
    pub(crate) fn start(&self) -> Server {
        self.wait_for(self.spawn())
    }

    pub(crate) fn spawn(&self) -> Child {
        self.command(SERVER).spawn().unwrap()
    }

    /// Waits until a server that was started says that it listens.
    pub(crate) fn wait_for(&self, mut child: Child) -> Server {
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut banner = String::new();
        while !banner.contains("jwks.json") {
            let read = output.read_line(&mut banner).unwrap();
            assert!(read > 0, "the server did not start: {}", self.log());
        }
        let (_, port) = banner.lines().next().unwrap().rsplit_once(':').unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        Server { child, address, banner, _output: output }
    }

    /// Starts the server, which must refuse to; gives its exit code and what it said about that.
    pub(crate) fn refusal(&self, arguments: &[&str]) -> (i32, String) {
        fs::write(self.path("log"), "").unwrap();
        let mut child = self.command(SERVER).args(arguments).spawn().unwrap();
        let mut output = String::new();
        // Ends with the process, or with the banner's first line if it starts after all.
        let started = BufReader::new(child.stdout.take().unwrap()).read_line(&mut output);
        if started.unwrap() > 0 {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the server started: {output}");
        }
        (child.wait().unwrap().code().unwrap(), self.log())
    }
}

const SERVER: &str = env!("CARGO_BIN_EXE_usso-server");

/// A server that runs; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) banner: String,
    _output: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Signs the administrator in; gives its access token.
    pub(crate) fn admin_token(&self) -> String {
        let answer = self.client().sign_in(ADMIN, PASSWORD);
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        answer.text("access_token")
    }

    /// The most memory that the process ever had, in MiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        kib / 1024
    }

    /// Ends the process at once (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop (SIGTERM).
    pub(crate) fn terminate(&self) {
        let script = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a script as if it was pasted; gives the JSON values that it printed.
pub(crate) fn paste(script: &str, variables: &[(&str, &str)]) -> Vec<Json> {
    let found = Command::new("sh").args(["-c", "command -v curl"]).output().unwrap();
    assert!(found.status.success(), "this test runs curl; install curl");
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).env_clear().env("PATH", env!("PATH"));
    let mut shell = shell.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut output).unwrap();
    assert!(shell.wait().unwrap().success(), "{output}");
    let values = serde_json::Deserializer::from_str(&output).into_iter::<Json>();
    values.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error}: {output}"))
}
