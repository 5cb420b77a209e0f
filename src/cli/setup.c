/* What stands in and beside a data directory: the root key, the administrator's key, the local CA,
 * and what a running Ward says of itself. */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROOT_KEY_TEXT_MAX = 256, SMALL_FILE_MAX = 64 * 1024 };

static struct err *root_key_make(const char *path, struct secret **out)
{
    struct secret *key = NULL;
    TRY(secret_random(AES_KEY_SIZE, &key));
    char text[AES_KEY_SIZE * 2 + 2];
    for (size_t i = 0; i < AES_KEY_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", secret_bytes(key)[i]);
    text[AES_KEY_SIZE * 2] = '\n';
    struct err *e = file_write(path, str_of(text, AES_KEY_SIZE * 2 + 1), 0600);
    secret_wipe(text, sizeof text);
    if (e != NULL) {
        secret_free(key);
        return e;
    }
    *out = key;
    return NULL;
}

static struct err *check_private(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return err_new(ERR_IO, "The root key %s cannot be read: %s.", path, strerror(errno));
    if ((st.st_mode & 077) != 0)
        return err_new(ERR_DENIED,
                       "The root key %s can be read by others. Close it first: chmod 600 %s", path,
                       path);
    return NULL;
}

struct err *root_key_load(const char *path, const char *data_dir, bool create, struct secret **out)
{
    if (access(path, F_OK) != 0) {
        struct arena *a CLEANUP(arena_free_ptr) = arena_new(4096);
        bool store_there = access(cli_path(a, data_dir, "store/ward.key"), F_OK) == 0;
        if (store_there || !create)
            return err_new(ERR_DENIED,
                           "The root key %s is not there. The store in %s opens only with the key "
                           "that it was made with; name it with --root-key.",
                           path, data_dir);
        return root_key_make(path, out);
    }
    TRY(check_private(path));
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(16384);
    struct str text, bytes;
    TRY(file_read(a, path, ROOT_KEY_TEXT_MAX, &text));
    bool ok = dec_hex(a, str_trim(text), &bytes) && bytes.n == AES_KEY_SIZE;
    struct err *e = ok ? secret_new(bytes, out)
                       : err_new(ERR_INVALID,
                                 "%s is not a root key: it holds 64 hexadecimal digits.", path);
    secret_wipe((void *)(uintptr_t)text.p, text.n);
    if (ok)
        secret_wipe((void *)(uintptr_t)bytes.p, bytes.n);
    return e;
}

/* -- the administrator's key, for `ward env`: sealed under the root key ------------------------ */

static void admin_key(const struct secret *root, unsigned char out[AES_KEY_SIZE])
{
    hkdf_sha256(root, STR(""), STR("ward administrator credentials"), out, AES_KEY_SIZE);
}

struct err *admin_save(struct arena *a, const char *data_dir, const struct secret *root,
                       const struct first_account *f)
{
    struct buf plain = BUF_INIT(4096);
    struct jw w = jw_to(&plain);
    jw_obj(&w);
    jw_ks(&w, "account", f->account);
    jw_ks(&w, "user", f->admin_user);
    jw_ks(&w, "id", f->access_key_id);
    jw_ks(&w, "secret",
          str_of(secret_bytes(f->secret_access_key), secret_size(f->secret_access_key)));
    jw_end(&w);
    unsigned char key[AES_KEY_SIZE];
    admin_key(root, key);
    unsigned char *sealed = arena_alloc(a, plain.n + GCM_OVERHEAD);
    gcm_seal(key, STR("admin"), buf_view(&plain), sealed);
    size_t n = plain.n + GCM_OVERHEAD;
    secret_wipe(plain.p, plain.n);
    secret_wipe(key, sizeof key);
    buf_clear(&plain);
    return file_write(cli_path(a, data_dir, "admin.sealed"), str_of(sealed, n), 0600);
}

struct err *admin_load(struct arena *a, const char *data_dir, const struct secret *root,
                       struct first_account *out)
{
    struct str sealed;
    struct jv *j = NULL;
    TRY(file_read(a, cli_path(a, data_dir, "admin.sealed"), SMALL_FILE_MAX, &sealed));
    unsigned char key[AES_KEY_SIZE];
    admin_key(root, key);
    char *plain = arena_alloc(a, sealed.n + 1);
    bool ok = gcm_open(key, STR("admin"), sealed, (unsigned char *)plain);
    secret_wipe(key, sizeof key);
    if (!ok)
        return err_new(ERR_DENIED,
                       "The root key is not the one that this data directory was made with.");
    size_t n = sealed.n - GCM_OVERHEAD;
    struct err *e = json_parse(a, str_of(plain, n), 4, &j);
    secret_wipe(plain, n);
    if (e != NULL)
        return e;
    struct str secret = jv_s(jv_get(j, "secret"));
    struct first_account f = {.account = jv_s(jv_get(j, "account")),
                              .admin_user = jv_s(jv_get(j, "user")),
                              .access_key_id = jv_s(jv_get(j, "id"))};
    e = secret_new(secret, &f.secret_access_key);
    secret_wipe((void *)(uintptr_t)secret.p, secret.n);
    if (e == NULL)
        *out = f;
    return e;
}

/* -- the local CA ------------------------------------------------------------------------------ */

struct err *ca_open(struct arena *a, struct store *s, const char *data_dir, struct ca **out,
                    const char **out_path)
{
    const char *path = cli_path(a, data_dir, "ca.pem");
    struct secret *key CLEANUP(secret_free_ptr) = NULL;
    TRY(store_secret_get(s, "ca.key", &key));
    *out_path = path;
    if (key != NULL) {
        struct str pem;
        TRY(file_read(a, path, SMALL_FILE_MAX, &pem));
        return ca_load(pem, key, out);
    }
    struct ca *ca = NULL;
    TRY(ca_create("Ward local CA", &ca));
    struct err *e = ca_key_pem(ca, &key);
    /* The certificate first: a key without its certificate could never be used again. */
    if (e == NULL)
        e = file_write(path, ca_cert_pem(a, ca), 0644);
    if (e == NULL)
        e = store_secret_put(s, "ca.key", key);
    if (e != NULL) {
        ca_free(ca);
        return e;
    }
    *out = ca;
    return NULL;
}

/* -- what a running Ward says of itself -------------------------------------------------------- */

/* The 22nd field of /proc/PID/stat, counted behind the name in brackets; 0: no such process. */
static int64_t start_ticks(int64_t pid)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%lld/stat", (long long)pid);
    FILE *f = fopen(path, "re");
    size_t n = f == NULL ? 0 : fread(text, 1, sizeof text - 1, f);
    if (f != NULL)
        fclose(f);
    struct str rest = str_of(text, n);
    int64_t ticks = 0;
    rest = str_skip(rest, (size_t)(str_rfind_char(rest, ')') + 2));
    for (int field = 3; field < 22 && rest.p != NULL; field++)
        str_cut(&rest, ' ');
    if (rest.p == NULL || !str_to_i64(str_cut(&rest, ' '), 0, INT64_MAX, &ticks))
        return 0;
    return ticks;
}

struct err *running_save(const char *data_dir, const struct ward *w, struct str account)
{
    struct arena *a CLEANUP(arena_free_ptr) = arena_new(SMALL_FILE_MAX);
    struct buf b CLEANUP(buf_clear) = BUF_INIT(SMALL_FILE_MAX);
    struct jw j = jw_to(&b);
    jw_obj(&j);
    jw_ki(&j, "pid", getpid());
    jw_ki(&j, "startTicks", start_ticks(getpid()));
    jw_kc(&j, "endpoint", w->endpoint);
    jw_ks(&j, "account", account);
    jw_kc(&j, "region", w->region);
    if (w->ca_file != NULL)
        jw_kc(&j, "caFile", w->ca_file);
    jw_ks(&j, "started", time_iso8601_str(a, clock_now_ms()));
    jw_end(&j);
    buf_char(&b, '\n');
    TRY(file_write(cli_path(a, data_dir, "ward.json"), buf_view(&b), 0600));
    return file_write(cli_path(a, data_dir, "ward.pid"),
                      arena_fmt(a, "%d\n", (int)getpid()), 0644);
}

/* A Ward that was killed leaves its file, and its pid may be another process's by now. */
bool running_is(const struct running *r)
{
    return r->pid > 0 && r->pid <= INT_MAX && r->ticks > 0 && start_ticks(r->pid) == r->ticks;
}

struct err *running_load(struct arena *a, const char *data_dir, struct running *out)
{
    struct str text;
    struct jv *j;
    TRY(file_read(a, cli_path(a, data_dir, "ward.json"), SMALL_FILE_MAX, &text));
    TRY(json_parse(a, text, 4, &j));
    *out = (struct running){.pid = jv_i(jv_get(j, "pid"), 0),
                            .ticks = jv_i(jv_get(j, "startTicks"), 0),
                            .endpoint = jv_s(jv_get(j, "endpoint")),
                            .account = jv_s(jv_get(j, "account")),
                            .region = jv_s(jv_get(j, "region")),
                            .ca_file = jv_s(jv_get(j, "caFile")),
                            .started = jv_s(jv_get(j, "started"))};
    out->alive = running_is(out);
    return NULL;
}
