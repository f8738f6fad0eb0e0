import { writeFileSync } from 'node:fs';

/** What the guest does: nothing, computing, reading its fast disk or its slow one, or going through its memory. */
export type Work = 'idle' | 'compute' | 'disk' | 'slow disk' | 'memory';

const LETTER: Readonly<Record<Work, string>> = { idle: 'i', compute: 'c', disk: 'd', 'slow disk': 's', memory: 'm' };

/** MiB of the guest's memory that its work `memory` goes through. */
export const MEMORY = 64;

/** Runs in the guest. The host writes what it shall do to the disk vdc, which the guest reads again and again. */
export const SCRIPT = `
# No zeros: the kernel of the host swaps those without I/O.
dd if=/dev/urandom of=/tmp/memory bs=1M count=${MEMORY} 2>/dev/null
section ready
while :; do
  case $(dd if=/dev/vdc bs=512 count=1 iflag=direct 2>/dev/null | head -c 1) in
    c) n=0; while [ $n -lt 3000 ]; do n=$((n + 1)); done ;;
    d) dd if=/dev/vda of=/dev/null bs=4k count=100 iflag=direct 2>/dev/null ;;
    s) dd if=/dev/vdb of=/dev/null bs=4k count=10 iflag=direct 2>/dev/null ;;
    m) dd if=/tmp/memory of=/dev/null bs=1M 2>/dev/null ;;
    e) section end of work; break ;;
    *) sleep 0.2 ;;
  esac
done
`;

/** Tells the guest what to do from now on. `file`: the file of its disk vdc. */
export const order = (file: string, work: Work): void => writeFileSync(file, LETTER[work].padEnd(512), { flag: 'r+' });
