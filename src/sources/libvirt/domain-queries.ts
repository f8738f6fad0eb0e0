import { map, type Observable } from 'rxjs';

import { libvirt, type NativeBlockJobInfo, type NativeControlInfo, type Pointer, takeString } from './bindings.ts';
import { call$, failed } from './call.ts';
import { blockJobIn, jobIn } from './domain-changes.ts';
import type { DomainHandles } from './domain-handles.ts';
import { channelPathOf } from './domain-xml.ts';
import { checked, withHandle$ } from './queries.ts';
import { decodeTypedParams } from './typed-params.ts';
import type { Connection } from './types.ts';

// virDomainControlState: ready for a call.
const CONTROL_OK = 0;

const liveXml$ = (handles: DomainHandles, uuid: string): Observable<string> =>
  withHandle$(handles, uuid, (handle) =>
    call$(
      'virDomainGetXMLDesc',
      (l) => l.domainXml,
      [handle, 0],
      (xml) => {
        handles.release(handle);
        if (xml === null) throw failed();
        return takeString(xml);
      },
    ),
  );

/** The channel in virDomainGetXMLDesc of a running domain. */
export const channelOf$ =
  (handles: DomainHandles): Connection['channel$'] =>
  (uuid) =>
    liveXml$(handles, uuid).pipe(map(channelPathOf));

/** virDomainGetXMLDesc of a running domain. */
export const domainXml$ =
  (handles: DomainHandles): Connection['xml$'] =>
  ({ uuid }) =>
    liveXml$(handles, uuid);

/** virDomainGetControlInfo, which never waits. */
export const domainIsHeld$ =
  (handles: DomainHandles): Connection['isHeld$'] =>
  ({ uuid }) =>
    withHandle$(handles, uuid, (handle) => {
      const info: Partial<NativeControlInfo> = {};
      return call$(
        'virDomainGetControlInfo',
        (l) => l.controlInfo,
        [handle, info, 0],
        (result) => {
          handles.release(handle);
          checked(result);
          return info.state !== CONTROL_OK;
        },
      );
    });

/** virDomainGetJobStats, which needs no answer from QEMU while no job runs. */
export const domainJob$ =
  (handles: DomainHandles): Connection['job$'] =>
  ({ uuid }) =>
    withHandle$(handles, uuid, (handle) => {
      const type: [number] = [0];
      const params: [Pointer | null] = [null];
      const count: [number] = [0];
      return call$(
        'virDomainGetJobStats',
        (l) => l.jobStats,
        [handle, type, params, count, 0],
        (result) => {
          handles.release(handle);
          checked(result);
          const fields = params[0] === null ? new Map() : decodeTypedParams(params[0], count[0]);
          if (params[0] !== null) libvirt().freeParams(params[0], count[0]);
          return jobIn(type[0], fields);
        },
      );
    });

/** virDomainGetBlockJobInfo, which needs no answer from QEMU while no job runs. */
export const diskJob$ =
  (handles: DomainHandles): Connection['blockJob$'] =>
  ({ uuid }, disk) =>
    withHandle$(handles, uuid, (handle) => {
      const info: Partial<NativeBlockJobInfo> = {};
      return call$(
        'virDomainGetBlockJobInfo',
        (l) => l.blockJobInfo,
        [handle, disk, info, 0],
        (result) => {
          handles.release(handle);
          if (checked(result) === 0) return undefined;
          return blockJobIn({ type: info.type ?? 0, cur: Number(info.cur ?? 0), end: Number(info.end ?? 0) });
        },
      );
    });
