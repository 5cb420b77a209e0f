/* envcrypt.h: private to src/store, C++: RocksDB's files, encrypted.
 *
 * Every file the engine writes (tables, write-ahead log, manifest, options, identity) begins with a
 * prefix of one page that holds a random key of its own, wrapped under the store key with
 * AES-256-GCM; what follows is AES-256-CTR under that key, counted from the file's start, so that
 * any range can be read alone. A key is never used for a second file, nor twice at one offset: the
 * engine only appends. CTR gives no authenticity: values are sealed above, and the engine has its
 * checksums. Only file names (numbers) and sizes stay in the clear.
 *
 * Thread rule: as RocksDB asks of a FileSystem: reads of one file may run at once, writes not. */
#ifndef WARD_STORE_ENVCRYPT_H
#define WARD_STORE_ENVCRYPT_H

#include <memory>
#include <rocksdb/file_system.h>

struct secret;

/* What stands before a file's content: a page, so that the content keeps its alignment. */
enum { ENCRYPTED_PREFIX_SIZE = 4096 };

/* Both must outlive the result; store_id has STORE_ID_SIZE bytes. */
std::shared_ptr<rocksdb::FileSystem> encrypted_files(const struct secret *store_key,
                                                     const unsigned char *store_id);

#endif
