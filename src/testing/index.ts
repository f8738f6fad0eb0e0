/** What tests of a sink need, without a daemon: the package's entry `vhostmd/testing`. */
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
