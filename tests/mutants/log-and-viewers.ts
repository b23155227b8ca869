// Known bugs of the change log, the feed, the viewers and the door.
import type { Mutant } from './mutant.ts';

const follower = 'server/feed/follow.ts';
const following = ['tests/feed/follow.hub.test.ts'];
const feedModel = 'web/lib/feed-model.ts';
const modelTests = ['tests/web/feed-model.test.ts'];
const originTests = ['tests/http/origin.test.ts'];

export const logAndViewers: readonly Mutant[] = [
	{
		name: 'log-outside-the-transaction',
		why: 'a change is told before, and even without, being committed',
		file: 'server/store/commit-poll.ts',
		find: 'return await sql.begin((tx) => commit(tx, outcome, rooms));',
		replace: 'return await commit(sql as never, outcome, rooms);',
		project: 'pg',
		tests: ['tests/store/commit-poll.pg.test.ts'],
		catcher: 'S2'
	},
	{
		name: 'counter-read-without-a-lock',
		why: 'two writers take the same number, and a viewer misses one of them for good',
		file: 'server/store/change-log.ts',
		find: ' order by id for update`;',
		replace: ' order by id`;',
		project: 'pg',
		tests: ['tests/store/change-log.pg.test.ts'],
		catcher: 'S17'
	},
	{
		name: 'poll-publishes-nothing',
		why: 'the outbox is skipped on the busiest path',
		file: 'workers/jobs/poll-source.ts',
		find: '\t\tif (entries.length > 0) deps.publish(entries);\n',
		replace: '',
		project: 'pg',
		tests: ['tests/workers/jobs/poll-source.pg.test.ts'],
		catcher: 'W11'
	},
	{
		name: 'restored-database-keeps-its-epoch',
		why: 'after a restore viewers stand at positions that mean something else',
		file: 'server/store/epoch.ts',
		find: 'return row?.identity === identity ? row.epoch',
		replace: 'return row !== undefined ? row.epoch',
		project: 'pg',
		tests: ['tests/store/epoch.pg.test.ts'],
		catcher: 'S21'
	},
	{
		name: 'gap-ignored-by-the-follower',
		why: 'a lost message is a lost change',
		file: 'server/feed/followed-room.ts',
		find: 'if (entry.seq !== head + 1) continue;',
		replace: 'if (entry.seq <= head) continue;',
		project: 'unit',
		tests: ['tests/feed/followed-room.test.ts'],
		catcher: 'F1'
	},
	{
		name: 'heads-never-compared',
		why: 'with Redis dead the board stands still and says it is live',
		file: follower,
		find: '\t\tif (truth > (room.head() ?? truth)) catchUp.want(room);\n',
		replace: '',
		project: 'hub',
		tests: following,
		catcher: 'F4'
	},
	{
		name: 'heard-while-starting-forgotten',
		why: 'snapshot and stream are not joined: what is committed between them is missed',
		file: follower,
		find: '\t\tif (head === null) room.wait(entry);\n\t\telse if',
		replace: '\t\tif (head === null) continue;\n\t\telse if',
		project: 'hub',
		tests: following,
		catcher: 'F3'
	},
	{
		name: 'log-that-went-backwards-believed',
		why: 'an old disk was put back and nobody takes a new snapshot',
		file: follower,
		find: '\t\tif (truth < head) {',
		replace: '\t\tif (truth < head && truth < 0) {',
		project: 'hub',
		tests: following,
		catcher: 'F6'
	},
	{
		name: 'hole-in-a-room-not-told',
		why: 'a batch says it follows on although it does not',
		file: 'server/live/room-batcher.ts',
		find: '\t\t\tfrom = entry.seq - 1;\n',
		replace: '',
		project: 'unit',
		tests: ['tests/live/room-batcher.test.ts'],
		catcher: 'V7'
	},
	{
		name: 'left-while-joining-forgotten',
		why: 'what left between the answer to a join and the first batch is missed',
		file: 'server/live/join.ts',
		find: '\t\tif (batch.to > batch.from && changes !== null) sendBatch(viewer, { ...batch, changes });\n',
		replace: '',
		project: 'unit',
		tests: ['tests/live/join.test.ts'],
		catcher: 'V3'
	},
	{
		name: 'beacon-off',
		why: 'a viewer that missed the last batch never learns of it',
		file: 'server/live/beacon.ts',
		find: 'if (turn !== undefined && isSure()) tell(turn, isFull);',
		replace: 'if (turn !== undefined && !isSure()) tell(turn, isFull);',
		project: 'unit',
		tests: ['tests/live/rooms.test.ts'],
		catcher: 'V9'
	},
	{
		name: 'slow-reader-kept',
		why: 'one phone in a tunnel fills the memory of the hub',
		file: 'server/live/fan-out.ts',
		find: '\t\treturn tcp.writableLength <= MAX_UNSENT_BYTES;',
		replace: '\t\treturn true;',
		project: 'unit',
		tests: ['tests/live/fan-out.test.ts'],
		catcher: 'V10'
	},
	{
		name: 'batch-applied-over-a-hole',
		why: 'a page shows as open what went in the batch it missed',
		file: feedModel,
		find: ' || batch.from > have) return',
		replace: ') return',
		project: 'unit',
		tests: modelTests,
		catcher: 'U5'
	},
	{
		name: 'batch-of-another-epoch-applied',
		why: 'a page goes on from a position of a database that is no more',
		file: feedModel,
		find: ' || batch.epoch !== model.epoch || batch.from',
		replace: ' || batch.from',
		project: 'unit',
		tests: modelTests,
		catcher: 'U5'
	},
	{
		name: 'any-origin-is-ours',
		why: "another site acts with the patient's cookie",
		file: 'server/http/origin.ts',
		find: 'return own !== null && (own === plain || URL.parse(own)?.origin === plain);',
		replace: 'return own !== null;',
		project: 'unit',
		tests: originTests,
		catcher: 'X1'
	},
	{
		name: 'socket-without-origin-let-in',
		why: 'a WebSocket with cookies is opened from anywhere',
		file: 'server/http/origin.ts',
		find: 'if (isWebSocket) return headers.cookie === undefined;',
		replace: 'if (isWebSocket) return true;',
		project: 'unit',
		tests: originTests,
		catcher: 'V1'
	}
];
