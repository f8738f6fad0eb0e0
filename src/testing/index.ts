/** Entry `vhostmd/testing` of the package: the contract of a sink, and virtual time, for tests without a daemon. */
export {
  openFiles,
  sinkContract,
  UNRELIABLE,
  type ContractCase,
  type ContractOptions,
  type SinkUnderTest,
} from './contract.ts';
export { playMarbles, type Played, type Subjects } from './marbles/play.ts';
export type { Stage } from './marbles/stage.ts';
export { ofDomain, sample, snapshot } from './snapshots.ts';
