//! Jobs run on one replica at a time, former holders cannot write, and failing jobs are retried and parked.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};
use entities::job;
use harness::{
    Engine, HOST, Process, TestEnv,
    external::{now, person, settings_on},
    id_of, on_both_engines, until, web,
};
use kezdesu::{
    app::App,
    clock::ManualClock,
    domain::jobs::LEASE,
    jobs::{JobRun, Registry, Runner},
    lifecycle::Lifecycle,
    store::{job_leases::JobError, jobs::NewJob},
};
use sea_orm::EntityTrait as _;
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

const SECOND: TimeDelta = TimeDelta::seconds(1);
const MINUTE: TimeDelta = TimeDelta::minutes(1);

/// Times at which a job ran.
type Runs = Arc<Mutex<Vec<DateTime<Utc>>>>;

/// Starts a runner with the jobs of a test. Aborting the task is like killing its process.
async fn replica(app: &Arc<App>, registry: Registry) -> JoinHandle<()> {
    let runner = Runner::new(&Lifecycle::default(), app, registry);
    runner.register().await.unwrap();
    tokio::spawn(runner.run())
}

async fn enqueue(app: &App, kind: &str, key: &str) {
    let tx = app.store.begin().await.unwrap();
    let payload = json!({ "key": key });
    assert!(tx.enqueue(&NewJob { kind, key, run_at: app.clock.now(), payload: &payload }).await.unwrap());
    tx.commit().await.unwrap();
}

async fn row(env: &TestEnv, kind: &str, key: &str) -> Option<job::Model> {
    let database = env.database().await;
    let row = job::Entity::find_by_id((kind.to_owned(), key.to_owned())).one(&database).await.unwrap();
    database.close().await.unwrap();
    row
}

/// Makes a countable write and finishes the job in one transaction.
async fn write_once(run: &JobRun) -> Result<(), JobError> {
    let tx = run.app.store.begin_fenced(&run.lease).await?;
    tx.revoke_tokens("written by a job", run.app.clock.now()).await?;
    tx.finish_job(&run.lease).await?;
    tx.commit().await?;
    Ok(())
}

/// Counts the writes of [`write_once`].
async fn writes(app: &App) -> i64 {
    app.store.revocations_revision().await.unwrap()
}

/// Advances the clock second by second, but less than a lease, so that no lease expires.
fn few_seconds(clock: &ManualClock) -> impl FnMut() {
    let mut left = 3;
    move || {
        if left > 0 {
            left -= 1;
            clock.advance(SECOND);
        }
    }
}

/// Returns a function that records the time of a run.
fn recording(runs: &Runs) -> impl Fn(&JobRun) + Send + Sync + Clone + 'static {
    let runs = Arc::clone(runs);
    move |run| runs.lock().unwrap().push(run.app.clock.now())
}

/// Returns a registry with one periodic job, which records its runs.
fn recording_registry(runs: &Runs, period: TimeDelta, kind: &'static str) -> Registry {
    let record = recording(runs);
    Registry::default().every(period, kind, move |run| {
        record(&run);
        async { Ok(()) }
    })
}

on_both_engines! {
    async fn rejects_the_write_of_a_holder_stopped_for_twice_its_lease(env) {
        let mut env = env;
        // Its clock stands still, so it renews nothing, like a stopped process.
        let stopped_clock = ManualClock::at(env.now());
        let stopped = env.replica_by(stopped_clock.clone()).await;
        let (app, other) = (env.service(stopped).app().clone(), env.service(0).app().clone());
        enqueue(&app, "writes_once", "a").await;
        let (begun, mut has_begun) = mpsc::unbounded_channel();
        let (ended, mut has_ended) = mpsc::unbounded_channel();
        let woken = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&woken);
        let slow = Registry::default().queued("writes_once", move |run| {
            let (begun, ended, gate) = (begun.clone(), ended.clone(), Arc::clone(&gate));
            async move {
                begun.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
                let written = write_once(&run).await;
                ended.send(matches!(written, Err(JobError::LeaseLost))).unwrap();
                written
            }
        });
        let holder = replica(&app, slow).await;
        let begins = || std::future::ready(has_begun.try_recv().is_ok());
        until(begins, || stopped_clock.advance(SECOND), |begun| *begun).await;
        let quick = Registry::default().queued("writes_once", async |run| write_once(&run).await);
        let taking_over = replica(&other, quick).await;
        env.advance(LEASE * 2);
        until(async || writes(&other).await, || env.advance(SECOND), |writes| *writes == 1).await;
        woken.add_permits(1);
        assert!(has_ended.recv().await.unwrap(), "its write is rejected");
        assert_eq!((writes(&other).await, row(&env, "writes_once", "a").await), (1, None), "written once, and done");
        for task in [holder, taking_over] {
            task.abort();
        }
    }

    async fn retries_a_failing_job_with_growing_pauses_and_parks_it(env) {
        let app = env.service(0).app().clone();
        // All tests in this process share the metrics.
        let kind = if env.engine == Engine::Embedded { "fails_embedded" } else { "fails_production" };
        let runs = Runs::default();
        let (record, tries) = (recording(&runs), async || runs.lock().unwrap().len());
        let failing = Registry::default().queued(kind, move |run| {
            record(&run);
            async move { Err(JobError::Failed("for the test".into())) }
        });
        enqueue(&app, kind, "a").await;
        let runner = replica(&app, failing).await;
        for (n, pause) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 0]) {
            until(tries, few_seconds(&env.clock), |tries| *tries == n).await;
            let failed = |row: &Option<job::Model>| row.as_ref().is_some_and(|row| row.lease_until.is_none());
            let row = until(async || row(&env, kind, "a").await, || (), failed).await.unwrap();
            assert_eq!(row.attempts, i32::try_from(n).unwrap());
            let Some(run_at) = row.run_at else {
                assert_eq!((n, row.parked_at.is_some()), (12, true), "parked after the last try");
                break;
            };
            let began = runs.lock().unwrap()[n - 1];
            let paused = run_at - began;
            assert!((pause..=pause + 1).contains(&paused.num_seconds()), "failure {n}: {paused}, not {pause} s");
            env.clock.set(run_at);
        }
        env.advance(TimeDelta::days(1));
        enqueue(&app, kind, "b").await;
        until(tries, || env.advance(SECOND), |tries| *tries > 12).await;
        assert_eq!(row(&env, kind, "a").await.unwrap().attempts, 12, "a parked job is not retried");
        let parked = async || {
            let page = web().get(format!("http://{}/metrics", env.ops_host(0))).send().await.unwrap();
            page.text().await.unwrap().contains(&format!("kezdesu_jobs_parked{{kind=\"{kind}\"}} 1"))
        };
        until(parked, || env.advance(SECOND), |parked| *parked).await;
        runner.abort();
    }

    async fn runs_a_parked_periodic_job_at_its_next_period(env) {
        let app = env.service(0).app().clone();
        let tries = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tries);
        let failing = Registry::default().every(MINUTE, "fails_five_times", move |_| {
            let tries = count.fetch_add(1, Ordering::SeqCst);
            async move { if tries < 5 { Err(JobError::Failed("for the test".into())) } else { Ok(()) } }
        });
        let runner = replica(&app, failing).await;
        let of = async || row(&env, "fails_five_times", "").await.unwrap();
        let parked = until(of, || env.advance(SECOND), |row| row.parked_at.is_some()).await;
        assert_eq!((parked.attempts, parked.lease_until), (5, None));
        env.clock.set(parked.run_at.unwrap());
        let well = until(of, || env.advance(SECOND), |row| row.parked_at.is_none()).await;
        assert_eq!((well.attempts, tries.load(Ordering::SeqCst)), (0, 6));
        runner.abort();
    }

    async fn treats_a_panic_as_a_failure(env) {
        let app = env.service(0).app().clone();
        let panicking = Registry::default().queued("panics", async |_| panic!("for the test"));
        enqueue(&app, "panics", "a").await;
        let runner = replica(&app, panicking).await;
        let of = async || row(&env, "panics", "a").await.unwrap();
        until(of, || env.advance(SECOND), |row| row.attempts > 1 && row.lease_until.is_none()).await;
        assert!(!runner.is_finished());
        runner.abort();
    }

    async fn ignores_an_unknown_kind(env) {
        let app = env.service(0).app().clone();
        for (kind, key) in [("of_tomorrow", ""), ("of_tomorrow", "a")] {
            enqueue(&app, kind, key).await;
        }
        let before = (row(&env, "of_tomorrow", "").await, row(&env, "of_tomorrow", "a").await);
        let runs = Runs::default();
        let runner = replica(&app, recording_registry(&runs, SECOND, "of_today")).await;
        until(async || runs.lock().unwrap().len(), || env.advance(SECOND), |runs| *runs >= 5).await;
        assert!(before.0.is_some());
        assert_eq!((row(&env, "of_tomorrow", "").await, row(&env, "of_tomorrow", "a").await), before);
        runner.abort();
    }

    async fn runs_a_periodic_job_once_a_period_on_two_replicas(env) {
        let mut env = env;
        let second = env.replica().await;
        let runs = Runs::default();
        let replicas = [
            replica(env.service(0).app(), recording_registry(&runs, MINUTE, "each_minute")).await,
            replica(env.service(second).app(), recording_registry(&runs, MINUTE, "each_minute")).await,
        ];
        for n in 1..=5 {
            until(async || runs.lock().unwrap().len(), few_seconds(&env.clock), |runs| *runs == n).await;
            let let_go = |row: &Option<job::Model>| row.as_ref().is_some_and(|row| row.lease_until.is_none());
            let row = until(async || row(&env, "each_minute", "").await, || (), let_go).await.unwrap();
            env.clock.set(row.run_at.unwrap());
        }
        let runs = runs.lock().unwrap().clone();
        assert!(runs.windows(2).all(|two| two[1] - two[0] >= MINUTE - SECOND * 4), "once a period: {runs:?}");
        for task in replicas {
            task.abort();
        }
    }

    async fn runs_a_frequent_job_once_a_second_on_two_replicas(env) {
        let mut env = env;
        let second = env.replica().await;
        let runs = Runs::default();
        let replicas = [
            replica(env.service(0).app(), recording_registry(&runs, SECOND, "each_second")).await,
            replica(env.service(second).app(), recording_registry(&runs, SECOND, "each_second")).await,
        ];
        let of = async || row(&env, "each_second", "").await.unwrap();
        until(of, few_seconds(&env.clock), |row| row.lease_until.is_some() && row.attempts == 0).await;
        let fence = of().await.fence;
        for _ in 0..20 {
            env.advance(SECOND);
            let now = env.now();
            // The holder renews its lease before the clock advances again.
            until(of, || (), |row| row.lease_until.is_some_and(|until| until > now + SECOND * 2)).await;
            until(async || *runs.lock().unwrap().last().unwrap(), || (), |last| *last >= now - SECOND).await;
        }
        let runs = runs.lock().unwrap().clone();
        assert!(runs.len() >= 10 && runs.windows(2).all(|two| two[1] > two[0]), "one a second: {runs:?}");
        assert_eq!(of().await.fence, fence, "the holder keeps its lease");
        for task in replicas {
            task.abort();
        }
    }

    async fn takes_over_the_job_of_a_killed_holder_within_its_lease(env) {
        let mut env = env;
        let second = env.replica().await;
        let (dying, living) = (Runs::default(), Runs::default());
        let frequent = |runs: &Runs| recording_registry(runs, SECOND, "each_second");
        let holder = replica(env.service(0).app(), frequent(&dying)).await;
        until(async || dying.lock().unwrap().len(), || env.advance(SECOND), |runs| *runs > 2).await;
        let other = replica(env.service(second).app(), frequent(&living)).await;
        holder.abort();
        assert!(holder.await.unwrap_err().is_cancelled());
        let killed = env.now();
        env.advance(LEASE);
        until(async || living.lock().unwrap().len(), few_seconds(&env.clock), |runs| *runs > 0).await;
        let taken = living.lock().unwrap()[0] - killed;
        assert!(taken <= LEASE + SECOND * 3, "taken over after {taken}");
        other.abort();
    }

    async fn finishes_running_jobs_and_releases_the_others_on_shutdown(env) {
        let app = env.service(0).app().clone();
        let life = Lifecycle::default();
        let (begun, mut has_begun) = mpsc::unbounded_channel();
        let gate = Arc::new(Semaphore::new(0));
        let permits = Arc::clone(&gate);
        let registry = Registry::default()
            .queued("writes_once", move |run| {
                let (begun, gate) = (begun.clone(), Arc::clone(&permits));
                async move {
                    begun.send(()).unwrap();
                    gate.acquire().await.unwrap().forget();
                    write_once(&run).await
                }
            })
            .every(SECOND, "each_second", async |_| Ok(()));
        enqueue(&app, "writes_once", "a").await;
        let runner = Runner::new(&life, &app, registry);
        runner.register().await.unwrap();
        let runner = tokio::spawn(runner.run());
        until(|| std::future::ready(has_begun.try_recv().is_ok()), few_seconds(&env.clock), |begun| *begun).await;
        life.begin_drain();
        gate.add_permits(1);
        runner.await.unwrap();
        assert_eq!((writes(&app).await, row(&env, "writes_once", "a").await), (1, None));
        assert_eq!(row(&env, "each_second", "").await.unwrap().lease_until, None);
    }
}

/// Returns which program runs the job `votes`.
async fn counter(programs: &[Process]) -> Option<usize> {
    for (number, program) in programs.iter().enumerate() {
        if program.metric("kezdesu_job_runs_total{kind=\"votes\"}").await != "0" {
            return Some(number);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_takes_over_the_votes_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let settings = settings_on(dir.path(), Engine::Production).await;
    let mut programs = vec![Process::serve(&settings).await, Process::serve(&settings).await];
    let counting = until(async || counter(&programs).await, || (), Option::is_some).await.unwrap();
    programs.remove(counting).kill().await;
    let host = &programs[0].host;
    let (staff, ana) = (person(host, "staff", &["AKIMAT"]), person(host, "ana", &["CITIZEN"]));
    let meeting = staff.live_meeting(HOST, HOST, now() + MINUTE, "AFTER").await;
    let id = id_of(&ana.post(&meeting, "Жол?").await);
    let mut live = person(host, "reader", &["CITIZEN"]).follow_comments(&meeting, None, "PUBLIC").await;
    for voter in ["ben", "dana"] {
        person(host, voter, &["CITIZEN"]).mutate("voteComment", json!({ "commentId": id })).await;
    }
    loop {
        let event = live.next().await;
        if event["kind"] == "VOTES" && event["comment"]["votes"] == 2 {
            break;
        }
    }
    until(async || counter(&programs).await, || (), Option::is_some).await;
}
