//! The name of the host, which is the pod's in Kubernetes.

/// The host's name; `None` where the system has no such file, or it is empty.
pub(crate) fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (!name.is_empty()).then(|| name.to_owned())
}
