import { describe, expect, it } from 'vitest';

import { metricsReply } from '../../../src/sinks/virtio-serial/reply.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';

const { uuid } = ofDomain(1).domain;
const NO_HOST = '<!-- host metrics not available -->\n';
const NO_VM = '<!-- VM metrics not available -->\n';
const HOST = "  <metric type='string' context='host'>\n    <name>H</name>\n    <value>h</value>\n  </metric>\n";
const OWN = `  <metric type='string' context='vm' id='1' uuid='${uuid}'>\n    <name>A</name>\n    <value>1</value>\n  </metric>\n`;
const host = [sample('H', 'h')];
const others = [ofDomain(0, sample('A', '0')), ofDomain(2, sample('A', '2'))];
const [zero, two] = others;
const all = [zero, ofDomain(1, sample('A', '1')), two].flatMap((one) => one ?? []);

describe('the reply to a guest', () => {
  it.each([
    ['has the metrics of the host and its own', snapshot(1, host, all), HOST + OWN],
    ['has a comment in place of its own if there are none', snapshot(1, host, others), HOST + NO_VM],
    ['has a comment in place of empty ones', snapshot(1, host, [ofDomain(1)]), HOST + NO_VM],
    ['has a comment in place of those of the host', snapshot(1, [], all), NO_HOST + OWN],
    ['has both comments without a snapshot', undefined, NO_HOST + NO_VM],
  ])('%s', (_what, value, content) => {
    expect(metricsReply(value, uuid, 1)).toBe(`<metrics>\n${content}</metrics>\n\n`);
  });

  it('has no metrics of another run of the domain', () => {
    expect(metricsReply(snapshot(1, host, all), uuid, 3)).toBe(`<metrics>\n${HOST}${NO_VM}</metrics>\n\n`);
  });
});
