import { describe, expect, it } from 'vitest';

import { PADDING_MOST } from '../../../src/sinks/metrics-disk/checksum-padding.ts';
import { metricsXml } from '../../../src/model/metrics-xml.ts';
import {
  compose,
  decompose,
  emptyBody,
  select,
  sameBody,
  withPadding,
} from '../../../src/sinks/metrics-disk/document-layout.ts';
import type { DocumentBuffer } from '../../../src/sinks/metrics-disk/document-layout.ts';
import { CHUNK, sumOf } from '../../../src/sinks/metrics-disk/format.ts';
import { ofDomain, sample, snapshot } from '../../../src/testing/snapshots.ts';

const none = { front: 0, spaces: 0, tabs: 0, sum: 0 };
const sealed = (body: DocumentBuffer, padding = none): string => withPadding(body, padding).toString('latin1');
const big = (length: number) => sample('Big', 'x'.repeat(length));

describe('the content of a metrics disk', () => {
  it('has its white space behind the start tag and at the end of the last line, and the right sum', () => {
    const { host } = metricsXml(snapshot(1, [sample('A', '1')]));
    const body = compose([host], Buffer.alloc(0));
    const text = sealed(body, { front: 2, spaces: 2, tabs: 1, sum: 0 });
    expect(text).toBe(`<metrics> \t\t\n${host.trimEnd()}  \t\n</metrics>\n`);
    expect(sealed(body)).toBe(`<metrics>   \n${host}</metrics>\n`);
    expect(body.sum).toBe(sumOf(Buffer.from(sealed(body)), 0, sealed(body).length));
  });

  it('without metrics takes it, too', () => {
    expect(sealed(emptyBody(), { front: 1, spaces: 2, tabs: 0, sum: 0 })).toBe('<metrics>  \t  \n</metrics>\n');
    const found = decompose(Buffer.from('<metrics>\n</metrics>\n'));
    expect(found !== undefined && sameBody(found, emptyBody())).toBe(true);
  });

  it('is recognized on a disk, whatever white space it has', () => {
    const body = compose([metricsXml(snapshot(1)).host], Buffer.alloc(0));
    const found = decompose(Buffer.from(sealed(body, { front: 3, spaces: 7, tabs: 3, sum: 0 })));
    expect(found !== undefined && sameBody(found, body)).toBe(true);
    expect(found?.sum).toBe(body.sum);
    expect(decompose(Buffer.from('<metrics>\n'))).toBeUndefined();
    expect(decompose(Buffer.from('<metrics>x\n</metrics>\n'))).toBeUndefined();
    expect(decompose(Buffer.from('hello\n</metrics>\n'))).toBeUndefined();
  });

  it('FAULTS 48: takes whole domains in their order, up to the first that does not fit', () => {
    const domainMetrics = [ofDomain(1, big(30_000)), ofDomain(2, big(40_000)), ofDomain(3, big(100))];
    const chosen = select(metricsXml(snapshot(1, [sample('H', '1'), sample('I', '2')], domainMetrics)), CHUNK);
    expect(chosen).toMatchObject({ hostCount: 2, domainCount: 1, domains: 1, leftOut: 2 });
    expect(chosen.parts.join('')).toContain("id='1'");
    expect(chosen.parts.join('')).not.toContain("id='3'");
  });

  it('FAULTS 48: takes the first whole metrics of a host that does not fit alone, and no domain', () => {
    const host = [sample('A', '1'), sample('B', '2'), big(CHUNK), sample('C', '3')];
    const chosen = select(metricsXml(snapshot(1, host, [ofDomain(1, sample('G', '1'))])), CHUNK);
    expect(chosen).toMatchObject({ hostCount: 2, domainCount: 0, domains: 0, leftOut: 3 });
    expect(chosen.parts).toEqual([metricsXml(snapshot(2, host.slice(0, 2))).host]);
  });

  it('FAULTS 48: may be empty, if not even one metric fits', () => {
    const chosen = select(metricsXml(snapshot(1, [big(CHUNK)])), CHUNK);
    expect(chosen).toMatchObject({ hostCount: 0, leftOut: 1, parts: [''] });
  });

  it('is used up to size less 24 bytes, white space included', () => {
    const longest = (length: number) => select(metricsXml(snapshot(1, [big(length)])), CHUNK).hostCount;
    let length = CHUNK;
    while (longest(length) === 0) length -= 1;
    const body = compose(select(metricsXml(snapshot(1, [big(length)])), CHUNK).parts, Buffer.alloc(0));
    expect(withPadding(body, { front: 0, spaces: PADDING_MOST, tabs: 0, sum: 0 })).toHaveLength(CHUNK - 24);
  });
});
