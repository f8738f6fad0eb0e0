/**
 * Keeps a history of all values in an SQLite database: a row for each value and the time that it was valid, so what does
 * not change takes no room. history-query.js answers what a guest saw at some time. See README.md.
 *
 * Needs a package in the same folder or above: npm install node-sqlite3-wasm@0.8. It is SQLite without a compiler:
 * better-sqlite3 has to be compiled where its binary cannot be fetched, and node:sqlite is not in Node 20.
 *
 * It works in the daemon's own thread: 1000 values that change take about 20 ms, of which a guest notices nothing. For the
 * same reason it does not wait for the disk, so a power failure, or a kill -9 while it writes, can cost the file.
 */
import { rmSync, statSync } from 'node:fs';

import sqlite from 'node-sqlite3-wasm';
import { defer, Observable, of } from 'rxjs';
import { defineSink, deliverLatest } from 'vhostmd';

// Times are milliseconds since 1970. `until` is null while a value is valid; `uuid` and `domain` are '' for the host.
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS history (
    since INTEGER NOT NULL, until INTEGER, uuid TEXT NOT NULL, domain TEXT NOT NULL,
    metric TEXT NOT NULL, type TEXT NOT NULL, unit TEXT, value TEXT NOT NULL);
  CREATE INDEX IF NOT EXISTS history_uuid ON history (uuid, since);
  CREATE INDEX IF NOT EXISTS history_until ON history (until);
  CREATE TABLE IF NOT EXISTS latest (at INTEGER NOT NULL);`;

// A lock of this package is a folder that stands for milliseconds. An older one is left of a process that was killed.
const LOCK_AGE = 60_000;
const removeOldLock = (file) => {
  const lock = `${file}.lock`;
  const made = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
  if (Date.now() - made > LOCK_AGE) rmSync(lock, { recursive: true });
};

const HOST = { uuid: '', name: '' };

/** The rows that a snapshot asks for, by uuid and metric. */
const rowsOf = ({ host, domainMetrics }) =>
  new Map(
    [{ domain: HOST, samples: host }, ...domainMetrics].flatMap(({ domain, samples }) =>
      samples.map((sample) => [JSON.stringify([domain.uuid, sample.name]), { domain, sample }]),
    ),
  );

const isSame = (a, b) =>
  a.sample.value === b.sample.value && a.sample.unit === b.sample.unit && a.domain.name === b.domain.name;

const openDatabase = (file) => {
  removeOldLock(file);
  const database = new sqlite.Database(file);
  try {
    database.exec('PRAGMA synchronous = OFF');
    database.exec(SCHEMA);
    // What was valid when the last daemon ended was so until its last snapshot.
    database.exec('UPDATE history SET until = max(since, (SELECT at FROM latest)) WHERE until IS NULL');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
};

const inTransaction = (database, work) => {
  database.exec('BEGIN IMMEDIATE');
  try {
    work();
    database.exec('COMMIT');
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK');
    throw error;
  }
};

/** Writes what is different from the snapshot before. */
const recorder = (database, keep) => {
  let valid = new Map();
  const insert = ({ domain, sample }, at) =>
    database.run('INSERT INTO history VALUES (?, NULL, ?, ?, ?, ?, ?, ?)', [
      at,
      domain.uuid,
      domain.name,
      sample.name,
      sample.type,
      sample.unit ?? null,
      sample.value,
    ]).lastInsertRowid;
  return (snapshot, at) => {
    const rows = rowsOf(snapshot);
    const next = new Map();
    let changes = 0;
    inTransaction(database, () => {
      for (const [key, row] of rows) {
        const before = valid.get(key);
        if (before !== undefined && isSame(before, row)) next.set(key, before);
        else {
          next.set(key, { ...row, id: insert(row, at) });
          changes += 1;
        }
      }
      for (const [key, { id }] of valid)
        if (next.get(key)?.id !== id) database.run('UPDATE history SET until = ? WHERE rowid = ?', [at, id]);
      database.run('DELETE FROM history WHERE until < ?', [at - keep]);
      database.exec('DELETE FROM latest');
      database.run('INSERT INTO latest VALUES (?)', [at]);
    });
    valid = next;
    return changes;
  };
};

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const millisecondsOf = (text) => Number(text.slice(0, -1)) * UNITS[text.at(-1)];

export default defineSink({
  name: 'history',
  options: {
    file: {
      type: 'text',
      required: true,
      check: (file) => (file.startsWith('/') ? undefined : 'a path with / in front'),
    },
    // For how long a value is kept after it has changed.
    keep: {
      type: 'text',
      default: '30d',
      check: (text) => (/^[1-9]\d{0,4}[smhd]$/.test(text) ? undefined : 'a time like 30d, 12h, 90m or 600s'),
    },
  },
  make({ file, keep }, context) {
    const open$ = new Observable((opened) => {
      const database = openDatabase(file);
      const record = recorder(database, millisecondsOf(keep));
      opened.next({
        opened: `Recording to ${file}`,
        write$: (snapshot) =>
          defer(() => {
            removeOldLock(file);
            // Snapshots have the monotonic clock, a history has that of the wall.
            const changes = record(snapshot, Math.round(Date.now() - (context.scheduler.now() - snapshot.at)));
            return of({ kind: 'written', snapshot, message: `${changes} values have changed` });
          }),
      });
      return () => database.close();
    });
    return deliverLatest('history', open$, context);
  },
});
