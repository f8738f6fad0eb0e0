import { isatty } from 'node:tty';

import { defer, type Observable } from 'rxjs';

import { isRoot } from '../../system/process/privileges.ts';
import { call$, failed, LibvirtError } from './call.ts';
import { fileAuth, type Pointer, terminalAuth } from './bindings.ts';

// libvirt-host.h
const VIR_CONNECT_RO = 1;

/** Whom libvirt may ask for credentials that auth.conf lacks: nobody, or the user at the terminal. */
export type Asks = 'nobody' | 'terminal';

const authFile = (): string => (isRoot() ? '/etc/libvirt/auth.conf' : '~/.config/libvirt/auth.conf');

// Failures of a login by SASL. For a wrong name or password a server has no other message; polkit has one.
const LOGIN: readonly (readonly [RegExp, () => string])[] = [
  [
    /no mechanism available|no worthy mechs/i,
    () =>
      'The server wants a login by SASL (mech_list in its /etc/sasl2/libvirt.conf), and none of its mechanisms can be ' +
      'used here. Debian: apt-get install libsasl2-modules; for gssapi libsasl2-modules-gssapi-mit, and a ticket (kinit)',
  ],
  [
    /no authentication callback/i,
    () =>
      `The server wants a login by SASL: put authname and password into ${authFile()} (https://libvirt.org/auth.html)`,
  ],
  [
    /sasl|authentication failed: authentication failed/i,
    () => `The server refused the login: compare authname and password in ${authFile()} with the server's`,
  ],
];

const adviceFor = ({ message }: Error): string | undefined => LOGIN.find(([failure]) => failure.test(message))?.[1]();

/** True for the failure of a login by SASL, which root needs, too. */
export const isLogin = (error: unknown): boolean => error instanceof LibvirtError && adviceFor(error) !== undefined;

const withAdvice = (error: LibvirtError): LibvirtError => {
  const advice = adviceFor(error);
  return advice === undefined ? error : new LibvirtError(`${error.message}. ${advice}`, error.code);
};

// libvirt's own callback asks on stdout and reads from stdin.
const atTerminal = (): boolean => isatty(0) && isatty(1);

/** Opens a connection (uri null: libvirt's default) with the credentials of auth.conf, if the server requires any. */
export const open$ = <Value>(
  uri: string | null,
  { readOnly, asks }: { readonly readOnly: boolean; readonly asks: Asks },
  finish: (conn: Pointer) => Value,
): Observable<Value> =>
  defer(() =>
    call$(
      'virConnectOpenAuth',
      (lib) => lib.open,
      [uri, asks === 'terminal' && atTerminal() ? terminalAuth() : fileAuth(), readOnly ? VIR_CONNECT_RO : 0],
      (conn) => {
        if (conn === null) throw withAdvice(failed());
        return finish(conn);
      },
    ),
  );
