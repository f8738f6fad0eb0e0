import type { KoffiFunc } from 'koffi';

import { bridge } from '../../system/libc.ts';
import { once } from '../../system/once.ts';

/** Address of a native object; never leaves this folder. */
export type Pointer = bigint;

/** Result of virDomainGetInfo; sizes in KiB, `cpuTime` in ns. */
export interface NativeDomainInfo {
  state: number;
  maxMem: number | bigint;
  memory: number | bigint;
  nrVirtCpu: number;
  cpuTime: number | bigint;
}

/** Result of virDomainGetBlockJobInfo. */
export interface NativeBlockJobInfo {
  type: number;
  bandwidth: number | bigint;
  cur: number | bigint;
  end: number | bigint;
}

/** Result of virDomainGetControlInfo. */
export interface NativeControlInfo {
  state: number;
  details: number;
  stateTime: number | bigint;
}

interface NativeNodeInfo {
  cpus: number;
}

type Out<T> = [T | null];
type LifecycleCallback = (
  conn: Pointer,
  domain: Pointer,
  event: number,
  detail: number,
  opaque: Pointer | null,
) => number;
type DeviceCallback = (conn: Pointer, domain: Pointer, alias: string | null, opaque: Pointer | null) => void;
type BlockJobCallback = (
  conn: Pointer,
  domain: Pointer,
  disk: string | null,
  type: number,
  status: number,
  opaque: Pointer | null,
) => void;
type IoErrorCallback = (
  conn: Pointer,
  domain: Pointer,
  path: string | null,
  alias: string | null,
  action: number,
  reason: string | null,
  opaque: Pointer | null,
) => void;
type IterationCallback = (conn: Pointer, domain: Pointer, iteration: number, opaque: Pointer | null) => void;
type ParamsCallback = (conn: Pointer, domain: Pointer, params: Pointer, count: number, opaque: Pointer | null) => void;
type BalloonCallback = (conn: Pointer, domain: Pointer, actual: number | bigint, opaque: Pointer | null) => void;
type CloseCallback = (conn: Pointer, reason: number, opaque: Pointer | null) => void;
type ErrorCallback = (opaque: Pointer | null, error: Pointer) => void;
type TimeoutCallback = (timer: number, opaque: Pointer | null) => void;

// One function for each used entry point, with its C declaration from libvirt's headers.
const bind = () => {
  const koffi = bridge();
  const lib = koffi.load('libvirt.so.0');
  for (const handle of ['virConnect', 'virDomain']) koffi.opaque(handle);
  koffi.struct('virDomainInfo', {
    state: 'uchar',
    maxMem: 'ulong',
    memory: 'ulong',
    nrVirtCpu: 'ushort',
    cpuTime: 'ulonglong',
  });
  koffi.struct('virNodeInfo', {
    model: koffi.array('char', 32),
    memory: 'ulong',
    cpus: 'uint',
    mhz: 'uint',
    nodes: 'uint',
    sockets: 'uint',
    cores: 'uint',
    threads: 'uint',
  });
  koffi.struct('virDomainBlockJobInfo', { type: 'int', bandwidth: 'ulong', cur: 'ulonglong', end: 'ulonglong' });
  koffi.struct('virDomainControlInfo', { state: 'uint', details: 'uint', stateTime: 'ulonglong' });
  koffi.struct('virDomainStatsRecord', { dom: 'void *', params: 'void *', nparams: 'int' });
  koffi.struct('virConnectAuth', { credtype: 'void *', ncredtype: 'uint', cb: 'void *', cbdata: 'void *' });
  koffi.struct('virErrorHead', { code: 'int', domain: 'int', message: 'const char *' });
  koffi.proto('int LifecycleCallback(void *conn, void *domain, int event, int detail, void *opaque)');
  koffi.proto('void DeviceCallback(void *conn, void *domain, const char *alias, void *opaque)');
  koffi.proto('void BlockJobCallback(void *conn, void *domain, const char *disk, int type, int status, void *opaque)');
  koffi.proto(
    'void IoErrorCallback(void *conn, void *domain, const char *path, const char *alias, int action, const char *reason, void *opaque)',
  );
  koffi.proto('void IterationCallback(void *conn, void *domain, int iteration, void *opaque)');
  koffi.proto('void ParamsCallback(void *conn, void *domain, void *params, int count, void *opaque)');
  koffi.proto('void BalloonCallback(void *conn, void *domain, ulonglong actual, void *opaque)');
  koffi.proto('void CloseCallback(void *conn, int reason, void *opaque)');
  koffi.proto('void ErrorCallback(void *opaque, void *error)');
  koffi.proto('void TimeoutCallback(int timer, void *opaque)');
  // koffi types every function `any`, so each C declaration needs a TypeScript type beside it.
  const func = <T extends (...args: never[]) => unknown>(definition: string): KoffiFunc<T> =>
    lib.func(definition) as KoffiFunc<T>;
  return {
    setErrorFunc: func<(opaque: null, handler: Pointer) => void>(
      'void virSetErrorFunc(void *opaque, ErrorCallback *handler)',
    ),
    registerEventImpl: func<() => number>('int virEventRegisterDefaultImpl()'),
    runEvents: func<() => number>('int virEventRunDefaultImpl()'),
    addTimeout: func<(ms: number, callback: Pointer, opaque: null, free: null) => number>(
      'int virEventAddTimeout(int ms, TimeoutCallback *callback, void *opaque, void *free)',
    ),
    updateTimeout: func<(timer: number, ms: number) => void>('void virEventUpdateTimeout(int timer, int ms)'),
    getLibVersion: func<(conn: Pointer, version: Out<number | bigint>) => number>(
      'int virConnectGetLibVersion(virConnect *conn, _Out_ ulong *version)',
    ),
    getHypervisorVersion: func<(conn: Pointer, version: Out<number | bigint>) => number>(
      'int virConnectGetVersion(virConnect *conn, _Out_ ulong *version)',
    ),
    hostname: func<(conn: Pointer) => Pointer | null>('void *virConnectGetHostname(virConnect *conn)'),
    open: func<(uri: string | null, auth: Pointer, flags: number) => Pointer | null>(
      'virConnect *virConnectOpenAuth(const char *uri, void *auth, uint flags)',
    ),
    // A variable with the address of libvirt's own callbacks.
    defaultAuth: koffi.decode(lib.symbol('virConnectAuthPtrDefault'), 'void *') as Pointer,
    close: func<(conn: Pointer) => number>('int virConnectClose(virConnect *conn)'),
    capabilities: func<(conn: Pointer) => Pointer | null>('void *virConnectGetCapabilities(virConnect *conn)'),
    getType: func<(conn: Pointer) => string | null>('const char *virConnectGetType(virConnect *conn)'),
    uri: func<(conn: Pointer) => Pointer | null>('void *virConnectGetURI(virConnect *conn)'),
    nodeInfo: func<(conn: Pointer, info: Partial<NativeNodeInfo>) => number>(
      'int virNodeGetInfo(virConnect *conn, _Out_ virNodeInfo *info)',
    ),
    onClose: func<(conn: Pointer, callback: Pointer, opaque: null, free: null) => number>(
      'int virConnectRegisterCloseCallback(virConnect *conn, CloseCallback *callback, void *opaque, void *free)',
    ),
    offClose: func<(conn: Pointer, callback: Pointer) => number>(
      'int virConnectUnregisterCloseCallback(virConnect *conn, CloseCallback *callback)',
    ),
    onEvent: func<(conn: Pointer, domain: null, event: number, callback: Pointer, opaque: null, free: null) => number>(
      'int virConnectDomainEventRegisterAny(virConnect *conn, void *domain, int event, LifecycleCallback *callback, void *opaque, void *free)',
    ),
    onDeviceEvent: func<
      (conn: Pointer, domain: null, event: number, callback: Pointer, opaque: null, free: null) => number
    >(
      'int virConnectDomainEventRegisterAny(virConnect *conn, void *domain, int event, DeviceCallback *callback, void *opaque, void *free)',
    ),
    onChangeEvent: func<
      (conn: Pointer, domain: null, event: number, callback: Pointer, opaque: null, free: null) => number
    >(
      'int virConnectDomainEventRegisterAny(virConnect *conn, void *domain, int event, void *callback, void *opaque, void *free)',
    ),
    offEvent: func<(conn: Pointer, callbackId: number) => number>(
      'int virConnectDomainEventDeregisterAny(virConnect *conn, int callbackId)',
    ),
    listDomains: func<(conn: Pointer, domains: Out<Pointer>, flags: number) => number>(
      'int virConnectListAllDomains(virConnect *conn, _Out_ void **domains, uint flags)',
    ),
    domainName: func<(domain: Pointer) => string | null>('const char *virDomainGetName(virDomain *domain)'),
    domainUuid: func<(domain: Pointer, text: Uint8Array) => number>(
      'int virDomainGetUUIDString(virDomain *domain, _Out_ uint8_t *text)',
    ),
    domainId: func<(domain: Pointer) => number>('uint virDomainGetID(virDomain *domain)'),
    domainRef: func<(domain: Pointer) => number>('int virDomainRef(virDomain *domain)'),
    domainFree: func<(domain: Pointer) => number>('int virDomainFree(virDomain *domain)'),
    domainXml: func<(domain: Pointer, flags: number) => Pointer | null>(
      'void *virDomainGetXMLDesc(virDomain *domain, uint flags)',
    ),
    domainByName: func<(conn: Pointer, name: string) => Pointer | null>(
      'virDomain *virDomainLookupByName(virConnect *conn, const char *name)',
    ),
    domainByUuid: func<(conn: Pointer, uuid: string) => Pointer | null>(
      'virDomain *virDomainLookupByUUIDString(virConnect *conn, const char *uuid)',
    ),
    domainById: func<(conn: Pointer, id: number) => Pointer | null>(
      'virDomain *virDomainLookupByID(virConnect *conn, int id)',
    ),
    isPersistent: func<(domain: Pointer) => number>('int virDomainIsPersistent(virDomain *domain)'),
    attachDevice: func<(domain: Pointer, xml: string, flags: number) => number>(
      'int virDomainAttachDeviceFlags(virDomain *domain, const char *xml, uint flags)',
    ),
    detachDevice: func<(domain: Pointer, xml: string, flags: number) => number>(
      'int virDomainDetachDeviceFlags(virDomain *domain, const char *xml, uint flags)',
    ),
    domainInfo: func<(domain: Pointer, info: Partial<NativeDomainInfo>) => number>(
      'int virDomainGetInfo(virDomain *domain, _Out_ virDomainInfo *info)',
    ),
    controlInfo: func<(domain: Pointer, info: Partial<NativeControlInfo>, flags: number) => number>(
      'int virDomainGetControlInfo(virDomain *domain, _Out_ virDomainControlInfo *info, uint flags)',
    ),
    jobStats: func<(domain: Pointer, type: [number], params: Out<Pointer>, count: [number], flags: number) => number>(
      'int virDomainGetJobStats(virDomain *domain, _Out_ int *type, _Out_ void **params, _Out_ int *count, uint flags)',
    ),
    blockJobInfo: func<(domain: Pointer, disk: string, info: Partial<NativeBlockJobInfo>, flags: number) => number>(
      'int virDomainGetBlockJobInfo(virDomain *domain, const char *disk, _Out_ virDomainBlockJobInfo *info, uint flags)',
    ),
    freeParams: func<(params: Pointer, count: number) => void>('void virTypedParamsFree(void *params, int count)'),
    listStats: func<
      (domains: readonly (Pointer | null)[], groups: number, records: Out<Pointer>, flags: number) => number
    >('int virDomainListGetStats(void **domains, uint groups, _Out_ void **records, uint flags)'),
    freeStats: func<(records: Pointer) => void>('void virDomainStatsRecordListFree(void *records)'),
  };
};

export type Library = ReturnType<typeof bind>;

/** The libvirt C library, loaded at first use. Throws an Error that names the missing package. */
export const libvirt = once((): Library => {
  bridge();
  try {
    return bind();
  } catch (cause) {
    throw new Error('The library libvirt.so.0 cannot be loaded; install it (Debian: apt-get install libvirt0)', {
      cause,
    });
  }
});

/** Credentials of auth.conf; libvirt asks at the terminal for missing ones. */
export const terminalAuth = (): Pointer => libvirt().defaultAuth;

// libvirt-host.h: VIR_CRED_AUTHNAME, VIR_CRED_PASSPHRASE, VIR_CRED_REALM.
const CREDENTIALS = [2, 5, 8];

/** Credentials of auth.conf only: without a callback libvirt does not ask. */
export const fileAuth = once((): Pointer => {
  libvirt();
  // Never freed: libvirt keeps the address with the connection.
  const credtype = bridge().alloc('int', CREDENTIALS.length) as Pointer;
  bridge().encode(credtype, bridge().array('int', CREDENTIALS.length), CREDENTIALS);
  const auth = bridge().alloc('virConnectAuth', 1) as Pointer;
  bridge().encode(auth, 'virConnectAuth', { credtype, ncredtype: CREDENTIALS.length, cb: null, cbdata: null });
  return auth;
});

/** Registers native callbacks, which live until `unregister` is called with the returned value. */
export const callback = {
  lifecycle: (handler: LifecycleCallback): Pointer => bridge().register(handler, 'LifecycleCallback *'),
  device: (handler: DeviceCallback): Pointer => bridge().register(handler, 'DeviceCallback *'),
  blockJob: (handler: BlockJobCallback): Pointer => bridge().register(handler, 'BlockJobCallback *'),
  ioError: (handler: IoErrorCallback): Pointer => bridge().register(handler, 'IoErrorCallback *'),
  iteration: (handler: IterationCallback): Pointer => bridge().register(handler, 'IterationCallback *'),
  params: (handler: ParamsCallback): Pointer => bridge().register(handler, 'ParamsCallback *'),
  balloon: (handler: BalloonCallback): Pointer => bridge().register(handler, 'BalloonCallback *'),
  close: (handler: CloseCallback): Pointer => bridge().register(handler, 'CloseCallback *'),
  error: (handler: ErrorCallback): Pointer => bridge().register(handler, 'ErrorCallback *'),
  timeout: (handler: TimeoutCallback): Pointer => bridge().register(handler, 'TimeoutCallback *'),
  unregister: (pointer: Pointer): void => bridge().unregister(pointer),
};

/** Reads number and text of a virError. The pointer is valid inside the error callback only. */
export const errorAt = (error: Pointer): { readonly code: number; readonly message: string } => {
  const { code, message } = bridge().decode(error, 'virErrorHead') as { code: number; message: string | null };
  return { code, message: message ?? 'unknown error' };
};

/** Reads a C array of pointers. */
export const pointers = (array: Pointer, count: number): readonly Pointer[] =>
  count === 0 ? [] : (bridge().decode(array, 'void *', count) as Pointer[]);

export const statsRecord = (record: Pointer): { dom: Pointer; params: Pointer; nparams: number } =>
  bridge().decode(record, 'virDomainStatsRecord') as { dom: Pointer; params: Pointer; nparams: number };

/** Copies native memory. */
export const bytesAt = (pointer: Pointer, length: number): Buffer =>
  Buffer.from(new Uint8Array(bridge().view(pointer, length)));

export const stringAt = (pointer: Pointer): string => bridge().decode.string(pointer);

/** Reads a C string that libvirt has allocated for the caller, and frees it. */
export const takeString = (pointer: Pointer): string => {
  const text = stringAt(pointer);
  bridge().free(pointer);
  return text;
};

export const freeMemory = (pointer: Pointer): void => bridge().free(pointer);
