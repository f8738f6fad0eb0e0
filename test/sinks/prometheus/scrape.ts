import { request, type IncomingHttpHeaders } from 'node:http';

import type { Address } from '../../../src/sinks/prometheus/listen.ts';

export interface Scraped {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Asks for a page on a connection of its own. */
export const scrape = async (
  address: Address,
  { path = '/metrics', method = 'GET' }: { readonly path?: string; readonly method?: string } = {},
): Promise<Scraped> => {
  const where = address.kind === 'unix' ? { socketPath: address.path } : { host: address.host, port: address.port };
  return await new Promise((resolve, reject) => {
    const asked = request({ ...where, path, method, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => (body += text));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });
};
