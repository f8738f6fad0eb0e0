import { VALUE_TYPES } from '../model/metric.ts';

/** One position in an element's content: the elements that may stand there (any of `names`), and how often. */
export interface Particle {
  readonly names: readonly string[];
  readonly optional: boolean;
  readonly repeated: boolean;
}

export interface AttributeRule {
  readonly required: boolean;
  /** Allowed values; absent for any text. */
  readonly values?: readonly string[];
}

export interface ElementRule {
  /** `text`: characters, no elements. */
  readonly content: 'text' | readonly Particle[];
  /** The content model as written in this file, for messages. */
  readonly model: string;
  readonly attributes: Readonly<Record<string, AttributeRule>>;
}

const particle = (written: string): Particle => ({
  names: written.replace(/[?*+]$/, '').split('|'),
  optional: /[?*]$/.test(written),
  repeated: /[*+]$/.test(written),
});

const rule = (model: string, attributes: Readonly<Record<string, AttributeRule>> = {}): ElementRule => ({
  content: model === 'text' ? 'text' : model.split(' ').map(particle),
  model,
  attributes,
});

const required: AttributeRule = { required: true };
const optional: AttributeRule = { required: false };
const oneOf = (...values: readonly string[]): AttributeRule => ({ required: true, values });

export const ROOT = 'vhostmd';

/** The grammar of a configuration file. A test compares it with conf/vhostmd.dtd. */
export const GRAMMAR: ReadonlyMap<string, ElementRule> = new Map([
  [ROOT, rule('globals metrics')],
  ['globals', rule('disk? virtio* update_period path transport+ action_timeout? max_parallel_actions? vm_disk? sink*')],
  ['disk', rule('name path size')],
  ['virtio', rule('channel_path? max_channels? expiration_time?')],
  ['vm_disk', rule('path size')],
  ['sink', rule('option*', { type: optional, module: optional })],
  ['metrics', rule('metric*')],
  [
    'metric',
    rule('name action|stat variable*', {
      type: oneOf(...VALUE_TYPES, 'group', 'xml'),
      context: oneOf('host', 'vm'),
      cnt: optional,
      unit: optional,
      timeout: optional,
      period: optional,
    }),
  ],
  ['variable', rule('text', { name: required, type: oneOf(...VALUE_TYPES), cnt: optional, unit: optional })],
  ['action', rule('text')],
  ['stat', rule('text', { scale: optional })],
  ['name', rule('text')],
  ['path', rule('text')],
  ['size', rule('text', { unit: required })],
  ['option', rule('text', { name: required })],
  ...[
    'update_period',
    'transport',
    'channel_path',
    'max_channels',
    'expiration_time',
    'action_timeout',
    'max_parallel_actions',
  ].map((name): [string, ElementRule] => [name, rule('text')]),
]);
