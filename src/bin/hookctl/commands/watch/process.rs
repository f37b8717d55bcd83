//! Measurements of this process, under the names that Prometheus clients share.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Registers the measurements of this moment. What the system does not tell is left out.
pub(super) fn register(registry: &mut Registry, started: jiff::Timestamp) {
    let start = Gauge::<f64, AtomicU64>::default();
    start.set(started.as_duration().as_secs_f64());
    let help = "Start time of the process, in seconds since 1970";
    registry.register_with_unit("process_start_time", help, Unit::Seconds, start);
    if let Some(seconds) = cpu_seconds() {
        let counter = Counter::<f64, AtomicU64>::default();
        counter.inc_by(seconds);
        let help = "User and system time of the process";
        registry.register_with_unit("process_cpu", help, Unit::Seconds, counter);
    }
    let bytes = |name, help, count: Option<i64>, registry: &mut Registry| {
        if let Some(count) = count {
            let gauge: Gauge = Gauge::default();
            gauge.set(count);
            registry.register(name, help, gauge);
        }
    };
    let memory = status();
    let field = |name| memory.as_deref().and_then(|text| kibibytes(text, name));
    let help = "Resident memory of the process, in bytes";
    bytes(
        "process_resident_memory_bytes",
        help,
        field("VmRSS:"),
        registry,
    );
    let help = "Virtual memory of the process, in bytes";
    bytes(
        "process_virtual_memory_bytes",
        help,
        field("VmSize:"),
        registry,
    );
    let help = "Open file descriptors";
    bytes("process_open_fds", help, open_files(), registry);
    let help = "Maximum number of open file descriptors";
    bytes("process_max_fds", help, most_files(), registry);
}

#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    let time = std::time::Duration::new(seconds.ok()?, nanoseconds.ok()?);
    Some(time.as_secs_f64())
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

#[cfg(unix)]
fn most_files() -> Option<i64> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    i64::try_from(limit.current?).ok()
}

#[cfg(not(unix))]
fn most_files() -> Option<i64> {
    None
}

#[cfg(target_os = "linux")]
fn status() -> Option<String> {
    /// The file has about 2 KiB.
    const LIMIT: u64 = 64 * 1024;
    let path = std::path::Path::new("/proc/self/status");
    String::from_utf8(hookctl::input::read_regular(path, LIMIT).ok()?).ok()
}

#[cfg(not(target_os = "linux"))]
fn status() -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn open_files() -> Option<i64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    // One of them is the folder that is read.
    i64::try_from(entries.count().saturating_sub(1)).ok()
}

#[cfg(not(target_os = "linux"))]
fn open_files() -> Option<i64> {
    None
}

/// Returns the bytes of a field of `/proc/self/status`, which counts in KiB.
fn kibibytes(status: &str, field: &str) -> Option<i64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let number: i64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_in_bytes() {
        let status = "Name:\thookctl\nVmSize:\t  204800 kB\nVmRSS:\t    8192 kB\nThreads:\t4\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(8_388_608));
        assert_eq!(kibibytes(status, "VmSize:"), Some(209_715_200));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
        assert_eq!(kibibytes("VmRSS:\tmany kB\n", "VmRSS:"), None);
        assert_eq!(
            kibibytes("VmRSS:\t9223372036854775807 kB\n", "VmRSS:"),
            None
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_all_of_them() {
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
        assert!(status().is_some_and(|text| kibibytes(&text, "VmRSS:") > Some(0)));
        assert!(open_files() >= Some(3) && most_files() > open_files());
    }
}
