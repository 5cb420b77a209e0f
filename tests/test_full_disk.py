"""A full disk: writes are refused with a clear error, reads and deletions go on, nothing is lost."""
import os
import subprocess
import tempfile
import unittest

from botocore.exceptions import ClientError

from wardtest import Ward


class FullDisk(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="ward-disk-")
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", self.dir],
                              capture_output=True, text=True)
        if done.returncode != 0:
            os.rmdir(self.dir)
            self.skipTest("needs the right to mount a small file system: " + done.stderr.strip())

    def tearDown(self):
        subprocess.run(["umount", self.dir], check=True)
        os.rmdir(self.dir)

    def test_full_disk(self):
        ward = Ward(data=os.path.join(self.dir, "data"))
        try:
            ward.start()
            s3, kms = ward.client("s3"), ward.client("kms")
            key = kms.create_key()["KeyMetadata"]["KeyId"]
            blob = kms.encrypt(KeyId=key, Plaintext=b"still there")["CiphertextBlob"]
            s3.create_bucket(Bucket="full-disk")
            body, kept = os.urandom(1 << 20), []
            with self.assertRaises(ClientError) as e:
                for i in range(200):
                    s3.put_object(Bucket="full-disk", Key=str(i), Body=body)
                    kept.append(str(i))
            self.assertEqual(e.exception.response["Error"]["Code"], "ServiceUnavailable")
            self.assertIn("disk", e.exception.response["Error"]["Message"])
            self.assertGreater(len(kept), 5)
            with self.assertRaises(ClientError) as e:
                kms.create_key()
            self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 503)
            for name in kept:
                self.assertEqual(s3.get_object(Bucket="full-disk", Key=name)["Body"].read(), body)
            self.assertEqual(kms.decrypt(CiphertextBlob=blob)["Plaintext"], b"still there")
            for name in kept:
                s3.delete_object(Bucket="full-disk", Key=name)
            # The deleted objects' files go with a job a while later, or with the sweep of the next start.
            self.assertEqual(ward.stop(), 0)
            ward.start()
            ward.client("kms").create_key()
            self.assertEqual(ward.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"],
                             b"still there")
            self.assertEqual(ward.stop(), 0)
        finally:
            ward.kill()


if __name__ == "__main__":
    unittest.main()
