/**
 * Publishes every value to an MQTT broker as a retained message, which is replaced when the value changes and removed when
 * the metric or its VM goes:
 *
 *   vhostmd/HOST/status              online; offline when the daemon has ended, however it did (the last will)
 *   vhostmd/HOST/host/METRIC
 *   vhostmd/HOST/vm/UUID/METRIC
 *
 * Needs the package mqtt in the same folder or above: npm install mqtt@5. See README.md.
 */
import os from 'node:os';

import mqtt from 'mqtt';
import { concat, defer, from, mergeAll, Observable, of, tap, throwError, timeout } from 'rxjs';
import { defineSink, deliverLatest } from 'vhostmd';

// Whatever a name holds, this is neither `/` nor a wildcard nor a control character, and no two names become one.
const level = (text) => encodeURIComponent(text.toWellFormed());

// The limit of MQTT, in bytes; topics are ASCII by now.
const LONGEST_TOPIC = 65_535;

/** What the broker is to hold: values by their topics. */
export const messagesOf = ({ host, domainMetrics }, base) => {
  const inFolder = (folder) => (sample) => [`${base}/${folder}/${level(sample.name)}`, sample.value];
  const messages = [
    ...host.map(inFolder('host')),
    ...domainMetrics.flatMap(({ domain, samples }) => samples.map(inFolder(`vm/${level(domain.uuid)}`))),
  ];
  return new Map(messages.filter(([topic]) => topic.length <= LONGEST_TOPIC));
};

// How many messages may wait for the broker's answer.
const IN_FLIGHT = 100;

/** Delivers snapshots over a connection. `held` is what the broker holds, as far as one knows; it is kept up to date. */
const writer = (client, held, { base, patience, scheduler }) => {
  const publish$ = ([topic, payload]) =>
    new Observable((published) => {
      // Neither the old value nor the new one, until the broker answers.
      held.set(topic, undefined);
      client.publish(topic, payload, { qos: 1, retain: true }, (error) => {
        // That the connection is lost is said below, once.
        if (error) return client.connected && !client.disconnecting && published.error(error);
        if (payload === '') held.delete(topic);
        else held.set(topic, payload);
        published.complete();
      });
    });
  const late$ = throwError(() => new Error(`The broker does not answer within ${patience / 1000} s`));
  return (snapshot) =>
    defer(() => {
      const messages = messagesOf(snapshot, base);
      const changed = [...messages].filter(([topic, payload]) => held.get(topic) !== payload);
      // MQTT removes a retained message by an empty one.
      const gone = [...held.keys()].filter((topic) => !messages.has(topic)).map((topic) => [topic, '']);
      const message = `${changed.length} values published, ${gone.length} removed`;
      return concat(
        from([...changed, ...gone].map(publish$)).pipe(
          mergeAll(IN_FLIGHT),
          timeout({ first: patience, scheduler, with: () => late$ }),
        ),
        of({ kind: 'written', snapshot, message }),
      );
    });
};

/** Connects when it is subscribed to. Loss of the connection is an error, upon which deliverLatest connects anew. */
const connection$ = ({ url, username, password, base, patience, scheduler }) =>
  new Observable((opened) => {
    const { protocol, host } = new URL(url);
    const lost = (why) => opened.error(new Error(`${protocol}//${host}: ${why}`));
    const status = `${base}/status`;
    const left = [`${base}/host/+`, `${base}/vm/+/+`];
    const held = new Map();
    const client = mqtt.connect(url, {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      // deliverLatest does that; two that did would be in each other's way.
      reconnectPeriod: 0,
      connectTimeout: patience,
      will: { topic: status, payload: Buffer.from('offline'), qos: 1, retain: true },
    });
    const write$ = writer(client, held, { base, patience, scheduler });
    // The broker tells what a former connection has left there, so that what has gone since is removed.
    client.on('message', (topic, payload, { retain }) => {
      if (retain && !held.has(topic)) held.set(topic, payload.toString());
    });
    // It has done so when it answers the first messages; ours it need not send back.
    let isFirst = true;
    const toldAll = () => {
      if (isFirst) client.unsubscribe(left);
      isFirst = false;
    };
    client.on('connect', () => {
      client.publish(status, 'online', { qos: 1, retain: true });
      client.subscribe(left, { qos: 1 }, (error) => {
        const message = `Values of VMs that have gone meanwhile will stay on the broker: ${error?.message}`;
        if (error) opened.next({ kind: 'warning', message });
        opened.next({
          opened: `Publishing to ${protocol}//${host}, below ${base}`,
          write$: (snapshot) => write$(snapshot).pipe(tap({ complete: toldAll })),
        });
      });
    });
    const closed = 'the connection is closed';
    client.on('error', ({ code, message }) => lost(/^(ECONNRESET|EPIPE)$/.test(code) ? closed : message || code));
    client.on('close', () => lost(closed));
    // At once, as if the daemon were killed: so it is always the broker that says `offline`.
    return () => client.end(true);
  });

const checkUrl = (text) => {
  const { protocol, hostname } = URL.canParse(text) ? new URL(text) : {};
  if (/^(mqtts?|wss?):$/.test(protocol) && hostname !== '') return undefined;
  return 'a URL like mqtt://broker:1883 or mqtts://broker:8883';
};

export default defineSink({
  name: 'mqtt',
  options: {
    url: { type: 'text', required: true, check: checkUrl },
    username: { type: 'text' },
    password: { type: 'text' },
    // The second level of all topics.
    host: { type: 'text', default: os.hostname() },
    // How long the broker may take to answer.
    timeout: { type: 'seconds', default: 10_000, min: 100, max: 60_000 },
  },
  make({ host, timeout: patience, ...options }, context) {
    const { scheduler } = context;
    const base = `vhostmd/${level(host)}`;
    return deliverLatest('mqtt', connection$({ ...options, base, patience, scheduler }), context);
  },
});
