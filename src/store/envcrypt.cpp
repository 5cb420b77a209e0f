#include "envcrypt.h"

#include <algorithm>
#include <openssl/evp.h>

extern "C" {
#define _Noreturn [[noreturn]]
#include "../crypto/crypto.h"
#include "engine.h"
}

using rocksdb::FileOptions;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

namespace {

/* The prefix: magic, wrapped key, zeros. */
constexpr size_t PREFIX_SIZE = ENCRYPTED_PREFIX_SIZE;
constexpr char MAGIC[] = "WARDFIL1";
constexpr size_t MAGIC_SIZE = sizeof MAGIC - 1;
constexpr size_t WRAPPED_SIZE = AES_KEY_SIZE + GCM_OVERHEAD;
constexpr size_t BLOCK_SIZE = 16;
constexpr size_t CHUNK_SIZE = 64 * 1024;

const EVP_CIPHER *ctr_cipher()
{
    static EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-256-CTR", nullptr);
    CHECK(cipher != nullptr);
    return cipher;
}

/* A thread's kept context. */
struct Context {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    Context()
    {
        CHECK(ctx != nullptr);
        CHECK(EVP_EncryptInit_ex2(ctx, ctr_cipher(), nullptr, nullptr, nullptr) == 1);
    }
    ~Context() { EVP_CIPHER_CTX_free(ctx); }
};

/* A file's key. Encrypting and decrypting are the same in CTR mode. */
class FileKey
{
  public:
    explicit FileKey(struct secret *key) : secret_(key) {}
    FileKey(const FileKey &) = delete;
    FileKey &operator=(const FileKey &) = delete;
    ~FileKey() { secret_free(secret_); }

    const struct secret *get() const { return secret_; }
    void apply(uint64_t offset, const char *from, char *to, size_t n) const;

  private:
    struct secret *secret_;
};

void FileKey::apply(uint64_t offset, const char *from, char *to, size_t n) const
{
    if (n == 0)
        return;
    static thread_local Context mine;
    unsigned char counter[BLOCK_SIZE] = {0};
    for (size_t i = 0; i < 8; i++)
        counter[BLOCK_SIZE - 1 - i] = (unsigned char)(offset / BLOCK_SIZE >> 8 * i);
    CHECK(EVP_EncryptInit_ex2(mine.ctx, nullptr, secret_bytes(secret_), counter, nullptr) == 1);
    int done;
    unsigned char skipped[BLOCK_SIZE] = {0};
    if (offset % BLOCK_SIZE != 0)
        CHECK(EVP_EncryptUpdate(mine.ctx, skipped, &done, skipped, (int)(offset % BLOCK_SIZE)) ==
              1);
    while (n > 0) {
        size_t part = std::min(n, (size_t)1 << 30);
        CHECK(EVP_EncryptUpdate(mine.ctx, (unsigned char *)to, &done, (const unsigned char *)from,
                                (int)part) == 1);
        from += part;
        to += part;
        n -= part;
    }
}

IOStatus failed(struct err *e)
{
    IOStatus s = IOStatus::IOError(e->message, e->detail);
    err_free(e);
    return s;
}

/* What wraps the files' keys. */
class Wrapper
{
  public:
    Wrapper(const struct secret *store_key, const unsigned char *store_id) : store_key_(store_key)
    {
        binding_ = "ward file key";
        binding_.append((const char *)store_id, STORE_ID_SIZE);
    }

    IOStatus make(std::shared_ptr<FileKey> *key, char *prefix) const;
    IOStatus open(const Slice &prefix, std::shared_ptr<FileKey> *key) const;

  private:
    const struct secret *store_key_;
    std::string binding_;

    struct str binding() const { return str_of(binding_.data(), binding_.size()); }
};

IOStatus Wrapper::make(std::shared_ptr<FileKey> *key, char *prefix) const
{
    struct secret *fresh = nullptr;
    struct err *e = secret_random(AES_KEY_SIZE, &fresh);
    if (e != nullptr)
        return failed(e);
    memset(prefix, 0, PREFIX_SIZE);
    memcpy(prefix, MAGIC, MAGIC_SIZE);
    gcm_seal(secret_bytes(store_key_), binding(), str_of(secret_bytes(fresh), AES_KEY_SIZE),
             (unsigned char *)prefix + MAGIC_SIZE);
    *key = std::make_shared<FileKey>(fresh);
    return IOStatus::OK();
}

/* A prefix cut short belongs to a file whose making a crash interrupted: it has no content, and
 * any key will do. */
IOStatus Wrapper::open(const Slice &prefix, std::shared_ptr<FileKey> *key) const
{
    if (prefix.size() < PREFIX_SIZE) {
        char unused[PREFIX_SIZE];
        return make(key, unused);
    }
    unsigned char plain[AES_KEY_SIZE];
    struct str wrapped = str_of(prefix.data() + MAGIC_SIZE, WRAPPED_SIZE);
    if (memcmp(prefix.data(), MAGIC, MAGIC_SIZE) != 0 ||
        !gcm_open(secret_bytes(store_key_), binding(), wrapped, plain))
        return IOStatus::Corruption("a file's key does not open: it was altered, or it is of "
                                    "another store");
    struct secret *opened = nullptr;
    struct err *e = secret_new(str_of(plain, sizeof plain), &opened);
    secret_wipe(plain, sizeof plain);
    if (e != nullptr)
        return failed(e);
    *key = std::make_shared<FileKey>(opened);
    return IOStatus::OK();
}

/* Decrypts what was read, into `scratch`. */
void decrypt(const FileKey &key, uint64_t offset, char *scratch, Slice *result)
{
    key.apply(offset, result->data(), scratch, result->size());
    *result = Slice(scratch, result->size());
}

class SequentialFile : public FSSequentialFile
{
  public:
    SequentialFile(std::unique_ptr<FSSequentialFile> file, std::shared_ptr<FileKey> key)
        : file_(std::move(file)), key_(std::move(key))
    {
    }

    IOStatus Read(size_t n, const IOOptions &o, Slice *result, char *scratch,
                  IODebugContext *dbg) override
    {
        IOStatus s = file_->Read(n, o, result, scratch, dbg);
        if (s.ok()) {
            decrypt(*key_, offset_, scratch, result);
            offset_ += result->size();
        }
        return s;
    }

    IOStatus Skip(uint64_t n) override
    {
        offset_ += n;
        return file_->Skip(n);
    }

    IOStatus InvalidateCache(size_t offset, size_t length) override
    {
        return file_->InvalidateCache(offset + PREFIX_SIZE, length);
    }

  private:
    std::unique_ptr<FSSequentialFile> file_;
    std::shared_ptr<FileKey> key_;
    uint64_t offset_ = 0;
};

class RandomAccessFile : public FSRandomAccessFile
{
  public:
    RandomAccessFile(std::unique_ptr<FSRandomAccessFile> file, std::shared_ptr<FileKey> key)
        : file_(std::move(file)), key_(std::move(key))
    {
    }

    IOStatus Read(uint64_t offset, size_t n, const IOOptions &o, Slice *result, char *scratch,
                  IODebugContext *dbg) const override
    {
        IOStatus s = file_->Read(offset + PREFIX_SIZE, n, o, result, scratch, dbg);
        if (s.ok())
            decrypt(*key_, offset, scratch, result);
        return s;
    }

    IOStatus Prefetch(uint64_t offset, size_t n, const IOOptions &o, IODebugContext *dbg) override
    {
        return file_->Prefetch(offset + PREFIX_SIZE, n, o, dbg);
    }

    size_t GetUniqueId(char *id, size_t max_size) const override
    {
        return file_->GetUniqueId(id, max_size);
    }

    void Hint(AccessPattern pattern) override { file_->Hint(pattern); }

    IOStatus InvalidateCache(size_t offset, size_t length) override
    {
        return file_->InvalidateCache(offset + PREFIX_SIZE, length);
    }

  private:
    std::unique_ptr<FSRandomAccessFile> file_;
    std::shared_ptr<FileKey> key_;
};

class WritableFile : public FSWritableFile
{
  public:
    WritableFile(const FileOptions &o, std::unique_ptr<FSWritableFile> file,
                 std::shared_ptr<FileKey> key, uint64_t offset)
        : FSWritableFile(o), file_(std::move(file)), key_(std::move(key)), offset_(offset)
    {
    }

    using FSWritableFile::Append; /* the form with a checksum ends here too */

    IOStatus Append(const Slice &data, const IOOptions &o, IODebugContext *dbg) override
    {
        IOStatus s;
        for (size_t at = 0; at < data.size() && s.ok();) {
            size_t n = std::min(data.size() - at, CHUNK_SIZE);
            if (room_ < n) {
                scratch_.reset(new char[n]);
                room_ = n;
            }
            key_->apply(offset_, data.data() + at, scratch_.get(), n);
            s = file_->Append(Slice(scratch_.get(), n), o, dbg);
            offset_ += n;
            at += n;
        }
        return s;
    }

    IOStatus Truncate(uint64_t size, const IOOptions &o, IODebugContext *dbg) override
    {
        IOStatus s = file_->Truncate(size + PREFIX_SIZE, o, dbg);
        if (s.ok())
            offset_ = size;
        return s;
    }

    IOStatus Close(const IOOptions &o, IODebugContext *dbg) override
    {
        return file_->Close(o, dbg);
    }
    IOStatus Flush(const IOOptions &o, IODebugContext *dbg) override
    {
        return file_->Flush(o, dbg);
    }
    IOStatus Sync(const IOOptions &o, IODebugContext *dbg) override { return file_->Sync(o, dbg); }
    IOStatus Fsync(const IOOptions &o, IODebugContext *dbg) override
    {
        return file_->Fsync(o, dbg);
    }
    bool IsSyncThreadSafe() const override { return file_->IsSyncThreadSafe(); }

    uint64_t GetFileSize(const IOOptions &, IODebugContext *) override { return offset_; }

    size_t GetUniqueId(char *id, size_t max_size) const override
    {
        return file_->GetUniqueId(id, max_size);
    }

    IOStatus InvalidateCache(size_t offset, size_t length) override
    {
        return file_->InvalidateCache(offset + PREFIX_SIZE, length);
    }

    IOStatus RangeSync(uint64_t offset, uint64_t n, const IOOptions &o,
                       IODebugContext *dbg) override
    {
        return file_->RangeSync(offset + PREFIX_SIZE, n, o, dbg);
    }

    IOStatus Allocate(uint64_t offset, uint64_t n, const IOOptions &o, IODebugContext *dbg) override
    {
        return file_->Allocate(offset + PREFIX_SIZE, n, o, dbg);
    }

  private:
    std::unique_ptr<FSWritableFile> file_;
    std::shared_ptr<FileKey> key_;
    uint64_t offset_;
    std::unique_ptr<char[]> scratch_;
    size_t room_ = 0;
};

uint64_t without_prefix(uint64_t size)
{
    return size > PREFIX_SIZE ? size - PREFIX_SIZE : 0;
}

class EncryptedFiles : public rocksdb::FileSystemWrapper
{
  public:
    EncryptedFiles(const struct secret *store_key, const unsigned char *store_id)
        : FileSystemWrapper(rocksdb::FileSystem::Default()), wrapper_(store_key, store_id)
    {
    }

    const char *Name() const override { return "ward"; }

    IOStatus NewSequentialFile(const std::string &name, const FileOptions &o,
                               std::unique_ptr<FSSequentialFile> *out,
                               IODebugContext *dbg) override;
    IOStatus NewRandomAccessFile(const std::string &name, const FileOptions &o,
                                 std::unique_ptr<FSRandomAccessFile> *out,
                                 IODebugContext *dbg) override;
    IOStatus NewWritableFile(const std::string &name, const FileOptions &o,
                             std::unique_ptr<FSWritableFile> *out, IODebugContext *dbg) override;
    IOStatus ReopenWritableFile(const std::string &name, const FileOptions &o,
                                std::unique_ptr<FSWritableFile> *out,
                                IODebugContext *dbg) override;

    /* Recycled logs would use a key twice at one offset; none of these is asked for with the
     * options in rocks.cpp. */
    IOStatus ReuseWritableFile(const std::string &, const std::string &, const FileOptions &,
                               std::unique_ptr<FSWritableFile> *, IODebugContext *) override
    {
        return IOStatus::NotSupported("files are not recycled");
    }
    IOStatus NewRandomRWFile(const std::string &, const FileOptions &,
                             std::unique_ptr<rocksdb::FSRandomRWFile> *, IODebugContext *) override
    {
        return IOStatus::NotSupported("files are not overwritten");
    }
    IOStatus NewMemoryMappedFileBuffer(const std::string &,
                                       std::unique_ptr<rocksdb::MemoryMappedFileBuffer> *) override
    {
        return IOStatus::NotSupported("files are not mapped");
    }
    IOStatus NewLogger(const std::string &, const IOOptions &,
                       std::shared_ptr<rocksdb::Logger> *, IODebugContext *) override
    {
        return IOStatus::NotSupported("no log in clear text");
    }

    IOStatus GetFileSize(const std::string &name, const IOOptions &o, uint64_t *size,
                         IODebugContext *dbg) override
    {
        IOStatus s = target()->GetFileSize(name, o, size, dbg);
        if (s.ok())
            *size = without_prefix(*size);
        return s;
    }
    IOStatus GetChildrenFileAttributes(const std::string &dir, const IOOptions &o,
                                       std::vector<rocksdb::FileAttributes> *out,
                                       IODebugContext *dbg) override
    {
        IOStatus s = target()->GetChildrenFileAttributes(dir, o, out, dbg);
        for (rocksdb::FileAttributes &f : *out)
            f.size_bytes = without_prefix(f.size_bytes);
        return s;
    }
    IOStatus Truncate(const std::string &name, size_t size, const IOOptions &o,
                      IODebugContext *dbg) override
    {
        return target()->Truncate(name, size + PREFIX_SIZE, o, dbg);
    }

  private:
    Wrapper wrapper_;
};

IOStatus EncryptedFiles::NewSequentialFile(const std::string &name, const FileOptions &o,
                                           std::unique_ptr<FSSequentialFile> *out,
                                           IODebugContext *dbg)
{
    std::unique_ptr<FSSequentialFile> file;
    IOStatus s = target()->NewSequentialFile(name, o, &file, dbg);
    if (!s.ok())
        return s;
    char room[PREFIX_SIZE];
    Slice prefix;
    s = file->Read(PREFIX_SIZE, o.io_options, &prefix, room, dbg);
    std::shared_ptr<FileKey> key;
    if (s.ok())
        s = wrapper_.open(prefix, &key);
    if (s.ok())
        out->reset(new SequentialFile(std::move(file), std::move(key)));
    return s;
}

IOStatus EncryptedFiles::NewRandomAccessFile(const std::string &name, const FileOptions &o,
                                             std::unique_ptr<FSRandomAccessFile> *out,
                                             IODebugContext *dbg)
{
    std::unique_ptr<FSRandomAccessFile> file;
    IOStatus s = target()->NewRandomAccessFile(name, o, &file, dbg);
    if (!s.ok())
        return s;
    char room[PREFIX_SIZE];
    Slice prefix;
    s = file->Read(0, PREFIX_SIZE, o.io_options, &prefix, room, dbg);
    std::shared_ptr<FileKey> key;
    if (s.ok())
        s = wrapper_.open(prefix, &key);
    if (s.ok())
        out->reset(new RandomAccessFile(std::move(file), std::move(key)));
    return s;
}

IOStatus EncryptedFiles::NewWritableFile(const std::string &name, const FileOptions &o,
                                         std::unique_ptr<FSWritableFile> *out, IODebugContext *dbg)
{
    /* RocksDB writes its options down at each start, syncs the file twice, and reads it back to
     * compare; ours are in the program, and the start is a quarter faster without. */
    if (name.find("/OPTIONS-") != std::string::npos)
        return IOStatus::NotSupported("no options file");
    std::unique_ptr<FSWritableFile> file;
    IOStatus s = target()->NewWritableFile(name, o, &file, dbg);
    if (!s.ok())
        return s;
    char prefix[PREFIX_SIZE];
    std::shared_ptr<FileKey> key;
    s = wrapper_.make(&key, prefix);
    if (s.ok())
        s = file->Append(Slice(prefix, PREFIX_SIZE), o.io_options, dbg);
    if (s.ok())
        out->reset(new WritableFile(o, std::move(file), std::move(key), 0));
    return s;
}

/* Used by RocksDB to cut a log's preallocated room off, not to write more. */
IOStatus EncryptedFiles::ReopenWritableFile(const std::string &name, const FileOptions &o,
                                            std::unique_ptr<FSWritableFile> *out,
                                            IODebugContext *dbg)
{
    uint64_t size = 0;
    IOStatus s = target()->GetFileSize(name, o.io_options, &size, dbg);
    if (!s.ok() || size < PREFIX_SIZE)
        return IOStatus::NotSupported("reopening a file that has no content");
    std::unique_ptr<FSRandomAccessFile> reader;
    s = target()->NewRandomAccessFile(name, o, &reader, dbg);
    char room[PREFIX_SIZE];
    Slice prefix;
    if (s.ok())
        s = reader->Read(0, PREFIX_SIZE, o.io_options, &prefix, room, dbg);
    std::shared_ptr<FileKey> key;
    if (s.ok())
        s = wrapper_.open(prefix, &key);
    std::unique_ptr<FSWritableFile> file;
    if (s.ok())
        s = target()->ReopenWritableFile(name, o, &file, dbg);
    if (s.ok())
        out->reset(new WritableFile(o, std::move(file), std::move(key), without_prefix(size)));
    return s;
}

} // namespace

std::shared_ptr<rocksdb::FileSystem> encrypted_files(const struct secret *store_key,
                                                     const unsigned char *store_id)
{
    return std::make_shared<EncryptedFiles>(store_key, store_id);
}
