import { clockJumpBack, clockJumpForward } from "./clock-jump";
import { containerKill } from "./container-kill";
import { etcdAllDown, etcdLeaderKill, etcdOneMemberDown, etcdTwoMembersDown } from "./etcd-members";
import type { Fault } from "./fault";
import { instanceFreeze, patroniFreeze, postgresFreeze, postmasterFreeze, standbyFreeze } from "./freeze";
import { dataVolumeFull, walVolumeFull } from "./full-volume";
import { fullCpuMinute, fullCpuTenMinutes } from "./full-cpu";
import { haproxyKill } from "./haproxy-kill";
import { kubernetesApiDown } from "./kubernetes-api-down";
import { primaryMachineDelete } from "./machine-delete";
import { machinePauses } from "./machine-pause";
import {
    etcdLeaderPowerOff,
    everyMachinePowerOff,
    primaryAndEtcdLeaderPowerOff,
    primaryMachinePowerOff,
    replicaMachinePowerOff,
} from "./machine-power-off";
import { objectStoreDown } from "./object-store-down";
import { cutFromAll, cutFromEtcd, cutFromReplicas, cutOneWayIn, cutOneWayOut } from "./partition";
import { patroniKill } from "./patroni-kill";
import { primaryPodDelete, primaryPodForced, replicaPodDelete } from "./pod-delete";
import { postmasterKill } from "./postmaster-kill";
import { repeatedKill } from "./repeated-kill";
import { busyDisk, slowDisk } from "./slow-disk";
import { streamsCutThenKill } from "./streams-cut";
import { switchover, switchoverTwentyTimes } from "./switchovers";

/** Every fault, the harmless first, in the order in which a full run goes through them. */
export const catalogue: Fault[] = [
    switchover,
    postmasterKill,
    patroniKill,
    containerKill,
    primaryPodDelete,
    primaryPodForced,
    replicaPodDelete,
    haproxyKill,
    etcdLeaderKill,
    etcdOneMemberDown,
    etcdTwoMembersDown,
    etcdAllDown,
    standbyFreeze,
    postmasterFreeze,
    postgresFreeze,
    patroniFreeze,
    instanceFreeze,
    busyDisk,
    slowDisk,
    clockJumpForward,
    clockJumpBack,
    cutFromEtcd,
    cutFromReplicas,
    cutFromAll,
    cutOneWayIn,
    cutOneWayOut,
    streamsCutThenKill,
    replicaMachinePowerOff,
    etcdLeaderPowerOff,
    primaryMachinePowerOff,
    primaryAndEtcdLeaderPowerOff,
    ...machinePauses,
    fullCpuMinute,
    repeatedKill,
    switchoverTwentyTimes,
    kubernetesApiDown,
    everyMachinePowerOff,
    objectStoreDown,
    walVolumeFull,
    dataVolumeFull,
    primaryMachineDelete,
    fullCpuTenMinutes,
];

/** What `make drill` runs when nothing is chosen: one of each kind, some eight minutes a round. */
export const core: Fault[] = [
    switchover,
    postmasterKill,
    primaryPodDelete,
    etcdLeaderKill,
    standbyFreeze,
    postgresFreeze,
    cutFromAll,
    primaryAndEtcdLeaderPowerOff,
    ...machinePauses.filter(({ name }) => name === "machine-pause-40-etcd-leader"),
];
