//! Two towns and the road between: two network namespaces joined by a veth pair, which the kernel can be told to cut. A
//! detour can be added, which the sender's routes then prefer.
//!
//! Whoever may make user namespaces may run this, root or not. The namespaces go when their keepers do.

use std::{path::Path, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
};

use crate::{patience::patiently, tools::runs};

/// The centre's address.
pub const CENTRE: &str = "10.117.0.1";

/// The interface of the road, in both towns.
pub const ROAD: &str = "road";

/// The sender's address on the road.
pub const SENDER: &str = "10.117.0.2";

/// The interface of the detour, in both towns.
pub const DETOUR: &str = "detour";

/// Who is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Town {
    /// The centre's.
    Centre,
    /// The sender's.
    Sender,
}

/// How the road is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoadCut {
    /// What is sent arrives nowhere, and nobody is told.
    BothWays,
    /// What the sender sends does not arrive.
    TowardsCentre,
    /// What the centre sends does not arrive.
    TowardsSender,
    /// The link is set down at the centre.
    LinkDown,
}

/// Both namespaces.
pub struct Towns {
    centre: Keeper,
    sender: Keeper,
}

/// A process that keeps a namespace. Dropped, it is killed, and the namespace goes.
struct Keeper {
    child: Child,
}

impl Towns {
    /// Lays them out, or says why that cannot be done here.
    pub async fn new() -> Result<Self, String> {
        for (tool, package) in [("ip", "iproute2"), ("nft", "nftables"), ("tc", "iproute2")] {
            if !runs(tool, &["-V"]) {
                return Err(format!("no {tool}: sudo apt-get install --no-install-recommends {package}"));
            }
        }
        if !runs("unshare", &["-Urn", "true"]) {
            return Err(
                "neither root nor allowed to make user namespaces: sysctl kernel.unprivileged_userns_clone=1"
                    .to_owned(),
            );
        }
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--net"]);
        let centre = Keeper::start(unshare).await;
        let mut inside = centre.enter();
        inside.args(["unshare", "--net"]);
        let sender = Keeper::start(inside).await;
        let towns = Towns { centre, sender };
        let other = towns.sender.id();
        towns
            .shell(
                Town::Centre,
                &format!(
                    "ip link add road type veth peer name road netns {other} && ip link set lo up && \
             ip addr add {CENTRE}/24 dev road && ip link set road up"
                ),
            )
            .await;
        towns
            .shell(
                Town::Sender,
                &format!("ip link set lo up && ip addr add {SENDER}/24 dev road && ip link set road up"),
            )
            .await;
        Ok(towns)
    }

    /// A program, to be run in a town.
    pub fn command(&self, town: Town, program: &Path) -> Command {
        let mut command = self.keeper(town).enter();
        command.arg(program);
        command
    }

    /// Builds a second way to the centre's address. The sender's routes prefer it.
    pub async fn build_detour(&self) {
        // Without IPv6 an interface says nothing by itself, so that whatever it carries is traffic.
        let silent = format!("echo 1 > /proc/sys/net/ipv6/conf/{DETOUR}/disable_ipv6");
        let up = format!("ip link set {DETOUR} up");
        let other = self.sender.id();
        let build = format!(
            "ip link add {DETOUR} type veth peer name {DETOUR} netns {other} && {silent} && \
             ip addr add 10.118.0.1/24 dev {DETOUR} && {up}"
        );
        self.shell(Town::Centre, &build).await;
        let prefer = format!(
            "{silent} && ip addr add 10.118.0.2/24 dev {DETOUR} && {up} && \
             ip route add {CENTRE}/32 via 10.118.0.1 dev {DETOUR}"
        );
        self.shell(Town::Sender, &prefer).await;
    }

    /// Packets that have left the sender through an interface.
    pub async fn packets_sent(&self, interface: &str) -> u64 {
        let table = self.shell(Town::Sender, "cat /proc/net/dev").await;
        let head = format!("{interface}:");
        let row = table.lines().find_map(|line| line.trim_start().strip_prefix(&head)).unwrap();
        // Eight columns of what was received stand before it: bytes, packets, …
        row.split_whitespace().nth(9).unwrap().parse().unwrap()
    }

    /// Takes the sender's end of the road down, or brings it up again.
    pub async fn set_road(&self, state: &str) {
        self.shell(Town::Sender, &format!("ip link set {ROAD} {state}")).await;
    }

    /// Lets the sender send no more than this in a second.
    pub async fn slow_down(&self, megabits: u32) {
        let rate = format!("tc qdisc add dev road root tbf rate {megabits}mbit burst 64kb latency 100ms");
        self.shell(Town::Sender, &rate).await;
    }

    /// Waits until everything that was sent on the sender's connections has arrived, and the sender's kernel knows it.
    pub async fn settled(&self) {
        let all_acknowledged = async {
            // The third column counts bytes that wait to be sent or acknowledged.
            while self
                .shell(Town::Sender, "ss -Htn")
                .await
                .lines()
                .any(|line| line.split_whitespace().nth(2) != Some("0"))
            {}
        };
        patiently("the sender's kernel to have sent everything", all_acknowledged).await;
    }

    /// Cuts the road. Nothing is dropped on its way out, where the kernel would tell the sender.
    pub async fn cut(&self, how: RoadCut) {
        const DROP: &str = "nft 'add table inet cut; add chain inet cut arrivals { type filter hook input priority 0; policy drop; }'";
        match how {
            RoadCut::BothWays => {
                tokio::join!(self.shell(Town::Centre, DROP), self.shell(Town::Sender, DROP));
            }
            RoadCut::TowardsCentre => _ = self.shell(Town::Centre, DROP).await,
            RoadCut::TowardsSender => _ = self.shell(Town::Sender, DROP).await,
            RoadCut::LinkDown => _ = self.shell(Town::Centre, "ip link set road down").await,
        }
    }

    /// Mends the road, however it was cut.
    pub async fn mend(&self) {
        const MEND: &str = "nft flush ruleset && ip link set road up";
        // A neighbour that did not answer is taken for gone for some seconds.
        const FORGET: &str = "ip neigh flush dev road";
        tokio::join!(self.shell(Town::Centre, MEND), self.shell(Town::Sender, MEND));
        tokio::join!(self.shell(Town::Centre, FORGET), self.shell(Town::Sender, FORGET));
    }

    async fn shell(&self, town: Town, script: &str) -> String {
        let mut command = self.keeper(town).enter();
        let output = command.args(["sh", "-ec", script]).stdin(Stdio::null()).output().await.unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn keeper(&self, town: Town) -> &Keeper {
        match town {
            Town::Centre => &self.centre,
            Town::Sender => &self.sender,
        }
    }
}

impl Keeper {
    /// By a command that makes the namespace and then runs what follows.
    async fn start(mut command: Command) -> Self {
        command.args(["sh", "-c", "echo ready; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        patiently("a namespace", stdout.read_line(&mut line)).await.unwrap();
        assert_eq!(line, "ready\n");
        Keeper { child }
    }

    fn id(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// A command that runs what follows inside.
    fn enter(&self) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.id().to_string()).args([
            "--user",
            "--net",
            "--preserve-credentials",
            "--",
        ]);
        command
    }
}
