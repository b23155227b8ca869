// For load balancers and people at 3 a.m.: is it alive, may it be sent visitors, what is it.
import { Router } from 'express';
import { PROTOCOL_VERSION } from '#domain/protocol.ts';

export type Health = {
	readonly postgres: 'up' | 'down';
	/** Without Redis everything works, later: changes come by the log, bookings by the reconciler. */
	readonly redis: 'up' | 'down';
	readonly migrations: 'done' | 'missing' | 'unknown';
	/** Commit → this hub, newest entry, ms; null = nothing yet. */
	readonly feedLagMs: number | null;
	/** False = this hub could not compare its rooms with the database lately. */
	readonly feedSure: boolean;
};

export type HealthParts = {
	readonly version: string;
	readonly isDraining: () => boolean;
	/** Never rejects, answers within about a second. */
	readonly readHealth: () => Promise<Health>;
};

type Readiness = 'ready' | 'degraded' | 'draining' | 'down';

/** X10: without the database nobody may be sent here; without Redis the hub serves, degraded. */
export const decideReadiness = (health: Health, isDraining: boolean): Readiness => {
	if (isDraining) return 'draining';
	if (health.postgres === 'down' || health.migrations === 'missing') return 'down';
	return health.redis === 'down' || !health.feedSure ? 'degraded' : 'ready';
};

export const healthRoutes = ({ version, isDraining, readHealth }: HealthParts): Router => {
	const router = Router();
	router.use((_req, res, next) => {
		res.set('Cache-Control', 'no-store');
		next();
	});
	router.get('/healthz', (_req, res) => {
		res.json({ status: 'alive' });
	});
	router.get('/readyz', async (_req, res) => {
		const health = await readHealth();
		const status = decideReadiness(health, isDraining());
		res.status(status === 'ready' || status === 'degraded' ? 200 : 503).json({ status, ...health });
	});
	router.get('/version', (_req, res) => {
		res.json({ version, protocol: PROTOCOL_VERSION });
	});
	return router;
};
