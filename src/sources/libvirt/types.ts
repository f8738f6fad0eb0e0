/** What libvirt says about the host. */
export interface NodeInfo {
  /** Hypervisor and version of libvirt's API, like `QEMU 9.0.0` ("Using API" of `virsh version`). */
  readonly product: string;
  /** Active CPUs (virNodeGetInfo). */
  readonly cpus: number;
}
