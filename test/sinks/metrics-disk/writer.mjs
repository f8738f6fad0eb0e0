// Updates a metrics disk without a pause, with the disk code of the built program, until it is killed.
// Arguments: path, size, `unique` or `plain` sums, number of metrics. Counts its updates in a file beside the disk.
import { openSync, writeSync } from 'node:fs';

import { openDisk } from '../../../.cache/modules/sinks/metrics-disk/open-disk.js';
import { uniqueSums } from '../../../.cache/modules/sinks/metrics-disk/checksum-padding.js';

const [path, size, sums, count] = process.argv.slice(2);

/** Adds no white space, so that sums are not unique. */
const plainSums = () => ({ seen: () => undefined, next: (sum) => ({ front: 0, spaces: 0, tabs: 0, sum }) });

const metric = (index, value) =>
  `  <metric type='uint64' context='vm' id='${index}' uuid='6be3fdb8-bef5-6fec-b1b7-${String(index).padStart(12, '0')}'>\n` +
  `    <name>Value</name>\n    <value>${value}</value>\n  </metric>\n`;

/** All values have the same digits, so all documents have the same sum, and so has every mixture of them. */
const documents = ['12345678', '21436587', '87654321', '56781234', '18273645'].map((value) => [
  Array.from({ length: Number(count) }, (_, index) => metric(index, value)).join(''),
]);

const counter = openSync(`${path}.updates`, 'w');
const number = new Uint32Array(1);
const disk = openDisk({ path, size: Number(size) }, sums === 'unique' ? uniqueSums() : plainSums());
disk.publish(documents[0]);
process.send('ready');
for (;;) {
  number[0] += 1;
  writeSync(counter, number, 0, 4, 0);
  disk.publish(documents[number[0] % documents.length]);
}
