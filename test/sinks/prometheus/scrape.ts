import { request, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';

import type { Address } from '../../../src/sinks/prometheus/listen.ts';

export interface Scraped {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Requests a page on its own connection. */
export const scrape = async (
  address: Address,
  {
    path = '/metrics',
    method = 'GET',
    headers = {},
  }: { readonly path?: string; readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Scraped> => {
  const where =
    address.kind === 'unix' ? { socketPath: address.path } : { host: address.host ?? '127.0.0.1', port: address.port };
  return await new Promise((resolve, reject) => {
    const asked = request({ ...where, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (data: Buffer) => parts.push(data));
      response.on('end', () => {
        const all = Buffer.concat(parts);
        const isGzip = response.headers['content-encoding'] === 'gzip' && all.length > 0;
        const body = (isGzip ? gunzipSync(all) : all).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
      });
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
};
