/* The engine on disk: RocksDB's optimistic transactions.
 *
 * In C++ rather than over RocksDB's C interface, which has no untracked put, no typed status, no
 * way to size the table of validation locks (56 MiB by default) and none to resume after a full
 * disk. Written against 7.8 (Debian 12); the notes below name faults mended later, and how this
 * file keeps clear of them.
 *
 * Isolation. A transaction takes its snapshot when it begins; tracked keys are validated at commit
 * against it, under per-bucket locks ("parallel" validation; the serial kind would forbid group
 * commit). Validation looks at memtables alone: when they no longer reach back to the snapshot,
 * the commit answers ERR_CONFLICT too.
 *
 * Durability. Each commit waits for an fsync of the log, shared by the commits of its group.
 *
 * Recovery stops at the first broken record of the log (point-in-time). The mode that only
 * tolerates a torn tail does not suit encrypted files: blocks that never reached the disk read as
 * zeros in the clear, which that mode skips, but here as noise, which it takes for damage, and
 * would refuse the store after a power cut. What was acknowledged was synced and so lies before
 * any torn tail. */
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <dirent.h>
#include <memory>
#include <mutex>
#if __has_include(<rocksdb/advanced_cache.h>) /* since 8 the members of Cache are there */
#include <rocksdb/advanced_cache.h>
#endif
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/perf_level.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/optimistic_transaction_db.h>
#include <rocksdb/utilities/transaction.h>
#include <rocksdb/version.h>
#include <shared_mutex>
#include <string>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <vector>

#include "envcrypt.h"

extern "C" {
#define _Noreturn [[noreturn]]
#include "../core/clock.h"
#include "engine.h"
}

using rocksdb::Iterator;
using rocksdb::OptimisticTransactionDB;
using rocksdb::PinnableSlice;
using rocksdb::ReadOptions;
using rocksdb::Slice;
using rocksdb::Snapshot;
using rocksdb::Status;
using rocksdb::Transaction;

namespace {

/* Memory: at most MEMTABLES times MEMTABLE_BYTES, HISTORY_BYTES and one more memtable kept for
 * validation, the block cache, and some 20 KiB for each open file.
 *
 * A transaction that began before the oldest memtable is told to run again. HISTORY_BYTES of the
 * newest writes are always there: more than all workers together write while one commits. */
constexpr size_t MEMTABLE_BYTES = 4 * 1024 * 1024;
constexpr int MEMTABLES = 2; /* one filled, one on its way to disk */
constexpr int64_t HISTORY_BYTES = 3 * 1024 * 1024;
constexpr size_t ARENA_BLOCK_BYTES = 128 * 1024;
constexpr uint64_t TABLE_FILE_BYTES = 16 * 1024 * 1024;
constexpr uint64_t LEVEL_BASE_BYTES = 64 * 1024 * 1024;
constexpr uint64_t LOGS_BYTES = 32 * 1024 * 1024;
constexpr uint64_t MANIFEST_BYTES = 16 * 1024 * 1024;
constexpr int OPEN_FILES = 128;
constexpr int BACKGROUND_JOBS = 2;
constexpr size_t WRITE_BUFFER_BYTES = 64 * 1024;
constexpr size_t COMPACTION_READ_BYTES = 128 * 1024;
constexpr uint64_t SYNC_EVERY_BYTES = 1024 * 1024;
constexpr int BLOOM_BITS = 10;
constexpr double MEMTABLE_BLOOM_RATIO = 0.02; /* of its bytes: some 60 bits for each row */
constexpr uint32_t VALIDATION_LOCKS = 8192;

/* Ended write transactions kept for the next, with the room they have grown. */
constexpr size_t SPARES = 64;
constexpr uint64_t SPARE_BYTES = 32 * 1024;

/* After a failed write: how much must be free for another try, how often, and how long it waits for
 * transactions to end. */
constexpr uint64_t REOPEN_BYTES = 16 * 1024 * 1024;
constexpr int64_t RETRY_MS = 100;
constexpr int64_t DRAIN_MS = 500;

/* How often a commit asks for the room on the disk while there is plenty (ROOM_PLENTY above what is
 * needed: more than anybody writes in the meantime). */
constexpr int64_t ROOM_LOOK_MS = 50;
constexpr uint64_t ROOM_PLENTY = 256 * 1024 * 1024;

/* RocksDB's own log holds options, paths and key ranges; none of it is written anywhere. */
class NoLog : public rocksdb::Logger
{
  public:
    NoLog() : Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
    using Logger::Logv;
    void Logv(const char *, va_list) override {}
};

/* Learns of failed writes before any caller does. */
class Watch : public rocksdb::EventListener
{
  public:
    std::atomic<bool> broken{false}; /* no write will succeed any more */

    void OnBackgroundError(rocksdb::BackgroundErrorReason, Status *error) override
    {
        if (error->severity() >= Status::kHardError)
            broken.store(true);
    }

    /* Only from what is soft (a compaction found no room) may RocksDB recover by itself. After a
     * failed write 7.8 can hang in doing so, and the end of its log is in doubt: a part of the
     * failed group may be there, and what is written behind it would be lost to recovery (the kind
     * of fault mended in 9.6). reopen() does it instead. */
    void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, Status error,
                              bool *by_itself) override
    {
        *by_itself = error.severity() <= Status::kSoftError;
    }
};

struct Rocks {
    struct engine base{}; /* first: the C side knows a Rocks by it */
    std::string dir;
    size_t cache_bytes = 0;
    uint64_t reserve_bytes = 0;
    struct secret *store_key = nullptr;
    unsigned char store_id[STORE_ID_SIZE];
    std::unique_ptr<rocksdb::Env> env;
    std::shared_ptr<rocksdb::Cache> cache;
    std::shared_ptr<Watch> watch = std::make_shared<Watch>();

    std::shared_mutex life; /* shared by begins; alone by reopen(), which replaces the db */
    std::unique_ptr<OptimisticTransactionDB> db; /* none: it broke and could not be opened again */
    std::atomic<long> live{0};                   /* transactions */
    std::mutex drained_lock;
    std::condition_variable drained;
    std::atomic<int64_t> next_try_ms{0};
    std::atomic<int64_t> room_looked_ms{-ROOM_LOOK_MS};
    std::atomic<uint64_t> room_seen{0};

    std::mutex spares_lock;
    std::vector<std::unique_ptr<Transaction>> spares;

    ~Rocks();
    void shut();
    void leave();
    Transaction *take_spare();
    void keep_spare(std::unique_ptr<Transaction> t);
};

Transaction *Rocks::take_spare()
{
    std::lock_guard<std::mutex> lock(spares_lock);
    if (spares.empty())
        return nullptr;
    Transaction *t = spares.back().release();
    spares.pop_back();
    return t;
}

void Rocks::keep_spare(std::unique_ptr<Transaction> t)
{
    t->ClearSnapshot(); /* else deleted rows would be kept for it */
    t->Rollback().PermitUncheckedError();
    std::lock_guard<std::mutex> lock(spares_lock);
    if (spares.size() < SPARES)
        spares.push_back(std::move(t));
}

void Rocks::leave()
{
    if (live.fetch_sub(1) > 1 || !watch->broken.load())
        return;
    std::lock_guard<std::mutex> lock(drained_lock);
    drained.notify_all();
}

Slice slice(struct str s)
{
    return Slice(s.p, s.n);
}

struct str view(const Slice &s)
{
    return str_of(s.data(), s.size());
}

/* Statuses of RocksDB name files and offsets, no keys or values (allow_data_in_errors is off). */
struct err *error_of(const Status &s, const char *what)
{
    if (s.ok())
        return nullptr;
    struct err *e;
    if (s.IsBusy() || s.IsTryAgain())
        e = err_new(ERR_CONFLICT, "Another request changed the same data; try again.");
    else if (s.IsNoSpace() || s.subcode() == Status::kSpaceLimit)
        e = err_new(ERR_FULL, "Ward has no room left on its disk; make room, then try again.");
    else if (s.IsCorruption())
        e = err_new(ERR_CORRUPT, "Stored data failed its integrity check.");
    else
        e = err_new(ERR_IO, "An internal step failed (the store could not be read or written).");
    return err_detail(e, "%s: %s", what, s.ToString().c_str());
}

struct err *disk_full()
{
    return err_new(ERR_FULL, "Ward has no room left on its disk; make room, then try again.");
}

struct err *recovering()
{
    return err_new(ERR_FULL, "Ward is recovering from a failed write to its disk (is there room?); "
                             "try again.");
}

bool has_room(const Rocks *r, uint64_t bytes)
{
    struct statvfs v;
    if (statvfs(r->dir.c_str(), &v) != 0)
        return true; /* then the write itself says what is wrong */
    return (uint64_t)v.f_bavail * v.f_frsize >= bytes;
}

/* The same for each commit: a system call only now and then. */
bool has_room_to_commit(Rocks *r, uint64_t bytes)
{
    int64_t now = clock_mono_ms();
    if (now - r->room_looked_ms.load() < ROOM_LOOK_MS &&
        r->room_seen.load() >= bytes + ROOM_PLENTY)
        return true;
    struct statvfs v;
    if (statvfs(r->dir.c_str(), &v) != 0)
        return true;
    uint64_t room = (uint64_t)v.f_bavail * v.f_frsize;
    r->room_seen.store(room);
    r->room_looked_ms.store(now);
    return room >= bytes;
}

struct err *open_db(Rocks *r);

/* -- after a failed write ---------------------------------------------------------------------- */

/* Writes have failed, and RocksDB takes no more. Once there is room it is closed and opened again,
 * as a restart would do: the log is replayed up to what was acknowledged. That needs a moment
 * without transactions; new ones wait for it, for a while. Reads go on before and after. */
void reopen(Rocks *r)
{
    int64_t now = clock_mono_ms(), due = r->next_try_ms.load();
    if (now < due || !r->next_try_ms.compare_exchange_strong(due, now + RETRY_MS) ||
        !has_room(r, std::max(r->reserve_bytes, REOPEN_BYTES)))
        return;
    std::unique_lock<std::shared_mutex> alone(r->life, std::try_to_lock);
    if (!alone.owns_lock() || !r->watch->broken.load())
        return;
    std::unique_lock<std::mutex> lock(r->drained_lock);
    if (!r->drained.wait_for(lock, std::chrono::milliseconds(DRAIN_MS),
                             [r] { return r->live.load() == 0; }))
        return;
    if (r->base.changes != nullptr)
        r->base.changes(r->base.changes_arg);
    r->shut();
    struct err *e = open_db(r);
    r->watch->broken.store(e != nullptr);
    err_free(e); /* the next transaction tries again */
}

} // namespace

/* -- transactions ------------------------------------------------------------------------------ */

struct engine_txn {
    Rocks *rocks;
    bool writes_rows;
    std::unique_ptr<Transaction> writer; /* of one that writes */
    const Snapshot *snapshot = nullptr;
    PinnableSlice found;
    uint64_t writes = 0; /* a cursor that falls behind this looks for its place again */
    uint64_t bytes = 0;

    ReadOptions read_options() const
    {
        ReadOptions o;
        o.snapshot = snapshot;
        return o;
    }
    ~engine_txn()
    {
        found.Reset();
        if (!writes_rows)
            rocks->db->ReleaseSnapshot(snapshot);
        if (writer != nullptr && bytes <= SPARE_BYTES)
            rocks->keep_spare(std::move(writer));
        writer.reset();
        rocks->leave();
    }
};

namespace {

/* RocksDB counts each comparison for each thread unless it is told not to; nobody reads it. */
void count_nothing()
{
    static thread_local bool told = false;
    if (!told)
        rocksdb::SetPerfLevel(rocksdb::PerfLevel::kDisable);
    told = true;
}

struct err *rocks_begin(struct engine *e, bool write, struct engine_txn **out)
{
    Rocks *r = reinterpret_cast<Rocks *>(e);
    count_nothing();
    if (r->watch->broken.load())
        reopen(r);
    std::shared_lock<std::shared_mutex> shared(r->life);
    if (r->db == nullptr)
        return recovering();
    r->live.fetch_add(1);
    std::unique_ptr<engine_txn> t(new engine_txn);
    t->rocks = r;
    t->writes_rows = write;
    if (write) {
        rocksdb::WriteOptions wo;
        wo.sync = true;
        rocksdb::OptimisticTransactionOptions to;
        to.set_snapshot = true;
        t->writer.reset(r->db->BeginTransaction(wo, to, r->take_spare()));
        t->snapshot = t->writer->GetSnapshot();
    } else {
        t->snapshot = r->db->GetSnapshot();
    }
    *out = t.release();
    return nullptr;
}

void rocks_abort(struct engine_txn *t)
{
    delete t;
}

struct err *rocks_get(struct engine_txn *t, struct str key, bool track, struct str *out)
{
    t->found.Reset();
    ReadOptions o = t->read_options();
    rocksdb::ColumnFamilyHandle *rows = t->rocks->db->DefaultColumnFamily();
    Status s;
    if (t->writer == nullptr)
        s = t->rocks->db->Get(o, rows, slice(key), &t->found);
    else if (track)
        s = t->writer->GetForUpdate(o, rows, slice(key), &t->found);
    else
        s = t->writer->Get(o, rows, slice(key), &t->found);
    if (!s.ok() && !s.IsNotFound())
        return error_of(s, "get");
    *out = s.ok() ? view(t->found) : STR_NONE;
    return nullptr;
}

struct err *rocks_put(struct engine_txn *t, struct str key, struct str value, bool track)
{
    t->found.Reset();
    t->writes++;
    t->bytes += key.n + value.n;
    Status s = track ? t->writer->Put(slice(key), slice(value))
                     : t->writer->PutUntracked(slice(key), slice(value));
    return error_of(s, "put");
}

struct err *rocks_del(struct engine_txn *t, struct str key)
{
    t->found.Reset();
    t->writes++;
    t->bytes += key.n;
    return error_of(t->writer->Delete(slice(key)), "delete");
}

struct err *rocks_commit(struct engine_txn *txn)
{
    std::unique_ptr<engine_txn> t(txn);
    if (t->writes == 0)
        return nullptr; /* what it read was true at its snapshot */
    Rocks *r = t->rocks;
    if (r->reserve_bytes > 0 && !has_room_to_commit(r, r->reserve_bytes + 2 * t->bytes))
        return disk_full();
    if (r->watch->broken.load())
        return recovering();
    t->found.Reset();
    return error_of(t->writer->Commit(), "commit");
}

} // namespace

/* -- cursors ----------------------------------------------------------------------------------- */

struct engine_cursor {
    struct engine_txn *txn;
    std::string lower, upper, last;
    Slice bound; /* RocksDB keeps a pointer to it */
    bool reverse, started = false;
    uint64_t writes; /* of the transaction, when the iterator last moved */
    std::unique_ptr<Iterator> it;
};

namespace {

struct err *rocks_scan(struct engine_txn *t, struct str lower, struct str upper, bool reverse,
                       struct engine_cursor **out)
{
    std::unique_ptr<engine_cursor> c(new engine_cursor);
    c->txn = t;
    c->reverse = reverse;
    c->lower.assign(lower.p, lower.n);
    ReadOptions o = t->read_options();
    c->upper.assign(upper.p, upper.n);
    /* RocksDB is told the far bound alone. It needs that one, so as not to walk over what was
     * deleted behind it; told the near one too, a transaction's iterator that is set down on it
     * (SeekForPrev) counts as ended. */
    c->bound = reverse ? c->lower : c->upper;
    if (reverse)
        o.iterate_lower_bound = &c->bound;
    else if (upper.n > 0)
        o.iterate_upper_bound = &c->bound;
    c->it.reset(t->writer != nullptr ? t->writer->GetIterator(o) : t->rocks->db->NewIterator(o));
    c->writes = t->writes;
    *out = c.release();
    return nullptr;
}

/* To the first key behind the cursor's place (or to its start). */
void seek(struct engine_cursor *c)
{
    Iterator *it = c->it.get();
    if (!c->started && !c->reverse) {
        it->Seek(c->lower);
    } else if (!c->started && !c->upper.empty()) {
        it->SeekForPrev(c->upper);
        if (it->Valid() && it->key() == Slice(c->upper))
            it->Prev();
    } else if (!c->started) {
        it->SeekToLast();
    } else if (!c->reverse) {
        it->Seek(c->last);
        if (it->Valid() && it->key() == Slice(c->last))
            it->Next();
    } else {
        it->SeekForPrev(c->last);
        if (it->Valid() && it->key() == Slice(c->last))
            it->Prev();
    }
}

/* RocksDB's bounds do not all hold for a transaction's own writes. */
bool within(const struct engine_cursor *c)
{
    Slice key = c->it->key();
    return c->reverse ? key.compare(c->lower) >= 0
                      : c->upper.empty() || key.compare(c->upper) < 0;
}

struct err *rocks_next(struct engine_cursor *c, struct str *key, struct str *value)
{
    if (!c->started || c->writes != c->txn->writes)
        seek(c);
    else if (c->reverse)
        c->it->Prev();
    else
        c->it->Next();
    c->writes = c->txn->writes;
    if (!c->it->Valid()) {
        TRY(error_of(c->it->status(), "scan"));
        *key = *value = STR_NONE;
        c->writes = UINT64_MAX; /* a further call looks again, and stays behind the last key */
        return nullptr;
    }
    if (!within(c)) {
        *key = *value = STR_NONE;
        c->writes = UINT64_MAX;
        return nullptr;
    }
    c->started = true;
    c->last.assign(c->it->key().data(), c->it->key().size());
    *key = str_of(c->last.data(), c->last.size());
    *value = view(c->it->value());
    return nullptr;
}

void rocks_cursor_free(struct engine_cursor *c)
{
    delete c;
}

/* -- the engine -------------------------------------------------------------------------------- */

/* Deleted rows leave memory and log with the flush, and the tables with the compaction. */
struct err *rocks_scrub(struct engine *e, struct str lower, struct str upper)
{
    struct engine_txn *t; /* keeps the db from being replaced */
    TRY(rocks_begin(e, true, &t));
    std::unique_ptr<engine_txn> held(t);
    held->writer.reset(); /* and its snapshot, for which deleted rows would be kept */
    OptimisticTransactionDB *db = t->rocks->db.get();
    TRY(error_of(db->Flush(rocksdb::FlushOptions()), "flush"));
    rocksdb::CompactRangeOptions o;
    o.exclusive_manual_compaction = false;
    o.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    Slice from = slice(lower), to = slice(upper);
    return error_of(db->CompactRange(o, &from, &to), "compact");
}

void rocks_rest(struct engine *e)
{
    Rocks *r = reinterpret_cast<Rocks *>(e);
    std::shared_lock<std::shared_mutex> shared(r->life);
    if (r->cache != nullptr)
        r->cache->EraseUnRefEntries();
    std::lock_guard<std::mutex> lock(r->spares_lock);
    r->spares.clear();
}

void rocks_close(struct engine *e)
{
    delete reinterpret_cast<Rocks *>(e);
}

const struct engine_ops rocks_ops = {
    rocks_begin, rocks_abort, rocks_commit, rocks_get,         rocks_put,   rocks_del,
    rocks_scan,  rocks_next,  rocks_cursor_free, rocks_scrub, rocks_rest,  rocks_close,
};

rocksdb::BlockBasedTableOptions table_options(Rocks *r)
{
    rocksdb::BlockBasedTableOptions t;
    rocksdb::LRUCacheOptions cache;
    cache.capacity = r->cache_bytes;
    cache.num_shard_bits = 2;
    t.block_cache = r->cache = rocksdb::NewLRUCache(cache);
    t.cache_index_and_filter_blocks = true; /* so that the cache's bound holds for them too */
    t.pin_l0_filter_and_index_blocks_in_cache = true;
    t.filter_policy.reset(rocksdb::NewBloomFilterPolicy(BLOOM_BITS));
    return t;
}

rocksdb::Options engine_options(Rocks *r)
{
    rocksdb::Options p;
    p.create_if_missing = true;
    p.env = r->env.get();
    p.info_log = std::make_shared<NoLog>();
    p.listeners.push_back(r->watch);
    p.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    p.write_buffer_size = MEMTABLE_BYTES;
    p.max_write_buffer_number = MEMTABLES;
    p.max_write_buffer_size_to_maintain = HISTORY_BYTES;
    p.arena_block_size = ARENA_BLOCK_BYTES;
    /* Most rows looked for are not in memory, or nowhere: a search of each memtable is saved, also
     * when a commit validates what it read. */
    p.memtable_whole_key_filtering = true;
    p.memtable_prefix_bloom_size_ratio = MEMTABLE_BLOOM_RATIO;
    p.max_total_wal_size = LOGS_BYTES;
    p.max_manifest_file_size = MANIFEST_BYTES;
    p.target_file_size_base = TABLE_FILE_BYTES;
    p.max_bytes_for_level_base = LEVEL_BASE_BYTES;
    p.max_open_files = OPEN_FILES;
    p.max_file_opening_threads = 1; /* fifteen more would live for some 100 microseconds each */
    p.skip_stats_update_on_db_open = true;
    p.fail_if_options_file_error = false; /* envcrypt.cpp refuses that file */
    p.max_background_jobs = BACKGROUND_JOBS;
    /* A commit's group is written by its leader, memtable included: waking each writer to insert
     * its own rows and once more at the end, or spinning meanwhile, costs more than it gives while
     * there are more writers than processors (measured: a sixth). */
    p.allow_concurrent_memtable_write = false;
    p.enable_write_thread_adaptive_yield = false;
    p.writable_file_max_buffer_size = WRITE_BUFFER_BYTES;
    p.compaction_readahead_size = COMPACTION_READ_BYTES;
    p.bytes_per_sync = SYNC_EVERY_BYTES;
    p.compression = rocksdb::kNoCompression; /* values are noise */
    p.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_options(r)));
    /* No timer threads. */
    p.stats_dump_period_sec = 0;
    p.stats_persist_period_sec = 0;
#if ROCKSDB_MAJOR < 9
    /* New in 7.8, and changed again after it; from 9 on there is no choice. */
    p.level_compaction_dynamic_file_size = false;
#endif
    /* Left at their defaults, since later versions mended faults of theirs: recycled logs,
     * compressed logs, unordered and pipelined writes, asynchronous reads, range deletions,
     * tracking of logs in the manifest, several column families. */
    return p;
}

void Rocks::shut()
{
    spares.clear();
    if (db == nullptr)
        return;
    rocksdb::CancelAllBackgroundWork(db.get(), true);
    db.reset();
    env.reset();
}

Rocks::~Rocks()
{
    /* With all in tables the next start has no log to replay. A failure here loses nothing. */
    if (db != nullptr && !watch->broken.load())
        db->Flush(rocksdb::FlushOptions()).PermitUncheckedError();
    shut();
    secret_free(store_key);
}

/* RocksDB 7.8 begins a log at each start and forgets those that nothing was written to: they would
 * pile up, one for each start. A log without content can hold nothing to recover. */
void remove_empty_logs(const std::string &dir)
{
    DIR *d = opendir(dir.c_str());
    if (d == nullptr)
        return; /* a new store */
    const struct dirent *entry;
    struct stat st;
    while ((entry = readdir(d)) != nullptr) {
        std::string name = entry->d_name;
        if (name.size() > 4 && name.compare(name.size() - 4, 4, ".log") == 0 &&
            fstatat(dirfd(d), entry->d_name, &st, 0) == 0 &&
            (uint64_t)st.st_size <= ENCRYPTED_PREFIX_SIZE)
            (void)unlinkat(dirfd(d), entry->d_name, 0); /* else the next start tries again */
    }
    closedir(d);
}

/* After a recovery from a log with a broken end 7.8 may count its new memtable from one sequence
 * number too far. It can then validate no transaction before some write moves the sequence on, and
 * no transaction writes anything before it is validated. This is that write. */
Status make_validation_work(OptimisticTransactionDB *db)
{
    const Slice key("\0begin", 6);
    std::string value;
    rocksdb::OptimisticTransactionOptions to;
    to.set_snapshot = true;
    std::unique_ptr<Transaction> probe(db->BeginTransaction(rocksdb::WriteOptions(), to));
    Status s = probe->GetForUpdate(ReadOptions(), db->DefaultColumnFamily(), key, &value);
    if (s.ok() || s.IsNotFound())
        s = probe->Commit();
    if (s.IsTryAgain())
        s = db->GetBaseDB()->Put(rocksdb::WriteOptions(), key, Slice());
    return s;
}

struct err *open_db(Rocks *r)
{
    remove_empty_logs(r->dir);
    r->env = rocksdb::NewCompositeEnv(encrypted_files(r->store_key, r->store_id));
    rocksdb::Options p = engine_options(r);
    rocksdb::OptimisticTransactionDBOptions validation;
    validation.validate_policy = rocksdb::OccValidationPolicy::kValidateParallel;
    validation.occ_lock_buckets = VALIDATION_LOCKS;
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    families.emplace_back(rocksdb::kDefaultColumnFamilyName, rocksdb::ColumnFamilyOptions(p));
    std::vector<rocksdb::ColumnFamilyHandle *> handles;
    OptimisticTransactionDB *db = nullptr;
    Status s = OptimisticTransactionDB::Open(rocksdb::DBOptions(p), validation, r->dir, families,
                                             &handles, &db);
    if (!s.ok())
        return error_of(s, "open");
    for (rocksdb::ColumnFamilyHandle *h : handles)
        db->DestroyColumnFamilyHandle(h);
    r->db.reset(db);
    s = make_validation_work(db);
    if (!s.ok())
        r->shut();
    return error_of(s, "open");
}

} // namespace

extern "C" struct err *rocks_open(const struct rocks_options *o, struct engine **out)
{
    std::unique_ptr<Rocks> r(new Rocks);
    r->base.ops = &rocks_ops;
    r->dir = o->dir;
    r->cache_bytes = o->cache_bytes;
    r->reserve_bytes = o->reserve_bytes;
    memcpy(r->store_id, o->store_id, STORE_ID_SIZE);
    TRY(secret_ref(o->store_key, &r->store_key));
    TRY(open_db(r.get()));
    *out = &r.release()->base;
    return nullptr;
}
