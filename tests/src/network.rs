//! Machines on a network that can be cut, as far as one kernel can have them: namespaces, joined by a bridge. Needs root.

use anyhow::{Context as _, ensure};
use std::net::Ipv4Addr;
use std::process::Command;

/// A network of machines. They are gone when it is dropped, with all that runs there.
pub struct Network {
    name: String,
    number: u8,
    machines: usize,
}

/// The last part of the address of the first machine.
const FIRST: u8 = 10;

fn ip(arguments: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments).output().context("ip (iproute2) is needed")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {}: {said}; it wants root", arguments.join(" "));
    Ok(())
}

impl Network {
    /// Makes so many machines.
    ///
    /// # Errors
    /// When they cannot be made, as by somebody who is not root.
    pub fn start(machines: u8) -> anyhow::Result<Self> {
        // Another process may have some, and one that was killed may have left some.
        let network = (1..=u8::MAX).rev().find_map(|number| {
            let name = format!("preamp{number}");
            ip(&["link", "add", &name, "type", "bridge"]).ok()?;
            Some(Network { name, number, machines: 0 })
        });
        let network = network.context("cannot make a network of machines; it wants root")?;
        ip(&["addr", "add", &format!("{}/24", network.here()), "dev", &network.name])?;
        ip(&["link", "set", &network.name, "up"])?;
        (0..machines).try_fold(network, |network, _| network.with_machine())
    }

    fn with_machine(mut self) -> anyhow::Result<Self> {
        let machine = self.machines;
        let namespace = self.namespace(machine);
        ip(&["netns", "add", &namespace])?;
        self.machines += 1;
        let address = format!("{}/24", self.address(machine));
        ip(&["link", "add", &namespace, "type", "veth", "peer", "name", "eth0", "netns", &namespace])?;
        ip(&["link", "set", &namespace, "master", &self.name, "up"])?;
        ip(&["-n", &namespace, "addr", "add", &address, "dev", "eth0"])?;
        ip(&["-n", &namespace, "link", "set", "eth0", "up"])?;
        ip(&["-n", &namespace, "link", "set", "lo", "up"])?;
        Ok(self)
    }

    /// The namespace of a machine, and its link to the others.
    fn namespace(&self, machine: usize) -> String {
        format!("{}-{machine}", self.name)
    }

    /// The address of whoever made it.
    #[must_use]
    pub fn here(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, 1)
    }

    /// The address of a machine.
    #[must_use]
    pub fn address(&self, machine: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, self.number, FIRST + machine as u8)
    }

    /// The same command on a machine.
    #[must_use]
    pub fn on(&self, machine: usize, command: &Command) -> Command {
        let mut there = Command::new("ip");
        there.args(["netns", "exec", &self.namespace(machine)]);
        there.arg(command.get_program()).args(command.get_args());
        there
    }

    /// Cuts a machine off from all others.
    ///
    /// # Errors
    /// When there is none.
    pub fn cut(&self, machine: usize) -> anyhow::Result<()> {
        ip(&["link", "set", &self.namespace(machine), "down"])
    }

    /// Ends that.
    ///
    /// # Errors
    /// When there is none.
    pub fn mend(&self, machine: usize) -> anyhow::Result<()> {
        ip(&["link", "set", &self.namespace(machine), "up"])
    }

    /// Keeps a machine from reaching another, while it reaches all the rest.
    ///
    /// # Errors
    /// When there is none.
    pub fn part(&self, machine: usize, other: usize) -> anyhow::Result<()> {
        let other = format!("{}/32", self.address(other));
        ip(&["-n", &self.namespace(machine), "route", "add", "blackhole", &other])
    }

    /// Ends that.
    ///
    /// # Errors
    /// When it is not so.
    pub fn rejoin(&self, machine: usize, other: usize) -> anyhow::Result<()> {
        let other = format!("{}/32", self.address(other));
        ip(&["-n", &self.namespace(machine), "route", "del", "blackhole", &other])
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in 0..self.machines {
            let _gone = ip(&["netns", "del", &self.namespace(machine)]);
        }
        let _gone = ip(&["link", "del", &self.name]);
    }
}
