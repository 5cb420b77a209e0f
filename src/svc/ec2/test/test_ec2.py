"""EC2 as boto3 sees it: what is made, what hinders, who may, and what is recorded."""
import base64
import concurrent.futures
import json
import os
import re
import time
import unittest
import uuid

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

AMI = "ami-0123456789abcdef0"


def client(name, creds=None):
    extra = {}
    if creds:
        extra = dict(aws_access_key_id=creds["AccessKeyId"],
                     aws_secret_access_key=creds["SecretAccessKey"])
    return boto3.client(name, config=Config(max_pool_connections=32), **extra)


def until(check, seconds=15):
    """Polls for what a job of Ward's does in its own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("it did not come to be within %d s" % seconds)


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ec2 = client("ec2")
        cls.account = client("sts").get_caller_identity()["Account"]

    def refused(self, code, call, *args, **kw):
        with self.assertRaises(ClientError) as e:
            call(*args, **kw)
        error = e.exception.response["Error"]
        self.assertEqual(error["Code"], code, error["Message"])
        return error["Message"]

    def vpc(self, cidr="10.0.0.0/16"):
        v = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        self.addCleanup(self.clear, v)
        return v

    def subnet(self, vpc, cidr="10.0.1.0/24", **kw):
        return self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, **kw)["Subnet"]["SubnetId"]

    def of(self, vpc, call, key):
        return call(Filters=[{"Name": "vpc-id", "Values": [vpc]}])[key]

    def clear(self, vpc):
        """Everything in a VPC, and the VPC itself."""
        ec2 = self.ec2
        flt = [{"Name": "vpc-id", "Values": [vpc]}]
        ids = [i["InstanceId"] for r in ec2.describe_instances(Filters=flt)["Reservations"]
               for i in r["Instances"]]
        for i in ids:
            ec2.modify_instance_attribute(InstanceId=i, DisableApiTermination={"Value": False})
        if ids:
            ec2.terminate_instances(InstanceIds=ids)
            until(lambda: not ec2.describe_instances(Filters=flt)["Reservations"])
        for g in ec2.describe_internet_gateways(
                Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]:
            ec2.detach_internet_gateway(InternetGatewayId=g["InternetGatewayId"], VpcId=vpc)
            ec2.delete_internet_gateway(InternetGatewayId=g["InternetGatewayId"])
        for s in self.of(vpc, ec2.describe_subnets, "Subnets"):
            ec2.delete_subnet(SubnetId=s["SubnetId"])
        for t in self.of(vpc, ec2.describe_route_tables, "RouteTables"):
            if not any(a["Main"] for a in t["Associations"]):
                ec2.delete_route_table(RouteTableId=t["RouteTableId"])
        for a in self.of(vpc, ec2.describe_network_acls, "NetworkAcls"):
            if not a["IsDefault"]:
                ec2.delete_network_acl(NetworkAclId=a["NetworkAclId"])
        groups = self.of(vpc, ec2.describe_security_groups, "SecurityGroups")
        for g in groups:
            if g["IpPermissions"] and g["GroupName"] != "default":
                ec2.revoke_security_group_ingress(GroupId=g["GroupId"],
                                                  IpPermissions=g["IpPermissions"])
        for g in groups:
            if g["GroupName"] != "default":
                ec2.delete_security_group(GroupId=g["GroupId"])
        ec2.delete_vpc(VpcId=vpc)


class VpcTest(Base):
    def test_what_comes_with_a_vpc_goes_with_it(self):
        v = self.ec2.create_vpc(CidrBlock="10.1.2.3/16")["Vpc"]
        self.assertEqual((v["CidrBlock"], v["State"], v["OwnerId"]),
                         ("10.1.0.0/16", "available", self.account))
        self.assertRegex(v["VpcId"], r"^vpc-0[0-9a-f]{16}$")
        vpc = v["VpcId"]
        table, = self.of(vpc, self.ec2.describe_route_tables, "RouteTables")
        self.assertTrue(table["Associations"][0]["Main"])
        self.assertEqual(table["Routes"], [{
            "DestinationCidrBlock": "10.1.0.0/16", "GatewayId": "local",
            "Origin": "CreateRouteTable", "State": "active"}])
        acl, = self.of(vpc, self.ec2.describe_network_acls, "NetworkAcls")
        self.assertEqual([(e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in acl["Entries"]],
                         [(100, True, "allow"), (32767, True, "deny"),
                          (100, False, "allow"), (32767, False, "deny")])
        group, = self.of(vpc, self.ec2.describe_security_groups, "SecurityGroups")
        self.assertEqual(group["IpPermissions"][0]["UserIdGroupPairs"][0]["GroupId"],
                         group["GroupId"])
        self.assertEqual(group["IpPermissionsEgress"][0]["IpRanges"], [{"CidrIp": "0.0.0.0/0"}])
        self.ec2.delete_vpc(VpcId=vpc)
        for call, key in ((self.ec2.describe_route_tables, "RouteTables"),
                          (self.ec2.describe_network_acls, "NetworkAcls"),
                          (self.ec2.describe_security_groups, "SecurityGroups")):
            self.assertEqual(self.of(vpc, call, key), [])
        message = self.refused("InvalidVpcID.NotFound", self.ec2.describe_vpcs, VpcIds=[vpc])
        self.assertEqual(message, "The vpc ID '%s' does not exist" % vpc)

    def test_blocks(self):
        for cidr in ("10.0.0.0/15", "10.0.0.0/29"):
            self.refused("InvalidVpc.Range", self.ec2.create_vpc, CidrBlock=cidr)
        for cidr in ("10.0.0.0", "10.0.0/16", "x/16", "10.0.0.0/33", "010.0.0.0/16", "::/16"):
            self.refused("InvalidParameterValue", self.ec2.create_vpc, CidrBlock=cidr)
        self.refused("MissingParameter", self.ec2.create_vpc)

    def test_attributes(self):
        v = self.vpc()
        get = self.ec2.describe_vpc_attribute
        self.assertTrue(get(VpcId=v, Attribute="enableDnsSupport")["EnableDnsSupport"]["Value"])
        self.assertFalse(get(VpcId=v, Attribute="enableDnsHostnames")
                         ["EnableDnsHostnames"]["Value"])
        self.ec2.modify_vpc_attribute(VpcId=v, EnableDnsHostnames={"Value": True})
        self.assertTrue(get(VpcId=v, Attribute="enableDnsHostnames")
                        ["EnableDnsHostnames"]["Value"])
        self.refused("InvalidParameterCombination", self.ec2.modify_vpc_attribute, VpcId=v,
                     EnableDnsHostnames={"Value": True}, EnableDnsSupport={"Value": True})

    def test_what_is_not_built_is_said(self):
        self.refused("NotImplemented", self.ec2.create_vpc, CidrBlock="10.0.0.0/16",
                     AmazonProvidedIpv6CidrBlock=True)
        self.refused("NotImplemented", self.ec2.create_nat_gateway, SubnetId="subnet-1")
        self.refused("NotImplemented", self.ec2.create_key_pair, KeyName="x")

    def test_dhcp_options(self):
        v = self.vpc()
        before, = self.ec2.describe_vpcs(VpcIds=[v])["Vpcs"]
        made = self.ec2.create_dhcp_options(DhcpConfigurations=[
            {"Key": "domain-name", "Values": ["clinic.example"]},
            {"Key": "domain-name-servers", "Values": ["10.0.0.2", "10.0.0.3"]}])["DhcpOptions"]
        d = made["DhcpOptionsId"]
        self.assertEqual(made["DhcpConfigurations"][1]["Values"],
                         [{"Value": "10.0.0.2"}, {"Value": "10.0.0.3"}])
        self.ec2.associate_dhcp_options(VpcId=v, DhcpOptionsId=d)
        self.refused("DependencyViolation", self.ec2.delete_dhcp_options, DhcpOptionsId=d)
        found = self.ec2.describe_dhcp_options(
            Filters=[{"Name": "key", "Values": ["domain-name"]},
                     {"Name": "value", "Values": ["*.example"]}])["DhcpOptions"]
        self.assertEqual([x["DhcpOptionsId"] for x in found], [d])
        self.ec2.associate_dhcp_options(VpcId=v, DhcpOptionsId=before["DhcpOptionsId"])
        self.ec2.delete_dhcp_options(DhcpOptionsId=d)
        self.refused("InvalidDhcpOptionID.NotFound", self.ec2.delete_dhcp_options, DhcpOptionsId=d)
        for bad in ([{"Key": "colour", "Values": ["x"]}],
                    [{"Key": "netbios-node-type", "Values": ["3"]}],
                    [{"Key": "ntp-servers", "Values": ["noon"]}],
                    [{"Key": "ntp-servers", "Values": ["10.0.0.%d" % i for i in range(5)]}]):
            self.refused("InvalidParameterValue", self.ec2.create_dhcp_options,
                         DhcpConfigurations=bad)

    def test_dry_run(self):
        self.refused("DryRunOperation", self.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True)
        with self.assertRaises(ClientError) as e:
            self.ec2.describe_vpcs(DryRun=True)
        self.assertEqual(e.exception.response["ResponseMetadata"]["HTTPStatusCode"], 412)

    def test_regions_and_zones(self):
        names = [r["RegionName"] for r in self.ec2.describe_regions()["Regions"]]
        self.assertIn("us-east-1", names)
        zones = self.ec2.describe_availability_zones()["AvailabilityZones"]
        self.assertEqual((zones[0]["ZoneName"], zones[0]["ZoneId"]), ("us-east-1a", "use1-az1"))
        one = self.ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]
        self.assertEqual([z["ZoneName"] for z in one], ["us-east-1b"])
        self.refused("InvalidParameterValue", self.ec2.describe_availability_zones,
                     ZoneNames=["mars-1a"])
        facts = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"]
                 for a in self.ec2.describe_account_attributes()["AccountAttributes"]}
        self.assertEqual(facts["default-vpc"], "none")


class SubnetTest(Base):
    def test_a_subnet(self):
        v = self.vpc()
        s = self.ec2.create_subnet(VpcId=v, CidrBlock="10.0.1.0/24",
                                   AvailabilityZone="us-east-1b")["Subnet"]
        self.assertEqual((s["AvailableIpAddressCount"], s["AvailabilityZoneId"], s["State"]),
                         (251, "use1-az2", "available"))
        acl, = self.of(v, self.ec2.describe_network_acls, "NetworkAcls")
        self.assertEqual([a["SubnetId"] for a in acl["Associations"]], [s["SubnetId"]])
        self.ec2.modify_subnet_attribute(SubnetId=s["SubnetId"],
                                         MapPublicIpOnLaunch={"Value": True})
        s, = self.ec2.describe_subnets(SubnetIds=[s["SubnetId"]])["Subnets"]
        self.assertTrue(s["MapPublicIpOnLaunch"])
        self.refused("DependencyViolation", self.ec2.delete_vpc, VpcId=v)
        self.ec2.delete_subnet(SubnetId=s["SubnetId"])
        acl, = self.of(v, self.ec2.describe_network_acls, "NetworkAcls")
        self.assertEqual(acl["Associations"], [])

    def test_ranges_and_conflicts(self):
        v = self.vpc()
        self.subnet(v, "10.0.0.0/24")
        for cidr in ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/16", "10.0.0.0/23"):
            self.refused("InvalidSubnet.Conflict", self.ec2.create_subnet, VpcId=v, CidrBlock=cidr)
        for cidr in ("10.1.0.0/24", "10.0.0.0/29", "10.0.0.0/8"):
            self.refused("InvalidSubnet.Range", self.ec2.create_subnet, VpcId=v, CidrBlock=cidr)
        self.refused("InvalidParameterValue", self.ec2.create_subnet, VpcId=v,
                     CidrBlock="10.0.2.0/24", AvailabilityZone="us-east-1z")
        self.refused("InvalidVpcID.NotFound", self.ec2.create_subnet,
                     VpcId="vpc-00000000000000000", CidrBlock="10.0.2.0/24")

    def test_of_two_that_overlap_only_one_is_made(self):
        v = self.vpc()
        blocks = ["10.0.0.0/20", "10.0.8.0/24", "10.0.0.0/16", "10.0.8.0/21"] * 3

        def make(cidr):
            try:
                self.ec2.create_subnet(VpcId=v, CidrBlock=cidr)
                return "made"
            except ClientError as e:
                return e.response["Error"]["Code"]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            results = list(pool.map(make, blocks))
        self.assertEqual(results.count("made"), 1, results)
        self.assertEqual(results.count("InvalidSubnet.Conflict"), 11, results)


class RouteTest(Base):
    def setUp(self):
        self.v = self.vpc()
        self.table = self.ec2.create_route_table(VpcId=self.v)["RouteTable"]["RouteTableId"]

    def gateway(self, vpc=None):
        g = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        if vpc:
            self.ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=vpc)
        return g

    def routes(self):
        t, = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"]
        return {r["DestinationCidrBlock"]: r for r in t["Routes"]}

    def test_a_gateway_serves_one_vpc(self):
        g = self.gateway(self.v)
        self.refused("Resource.AlreadyAssociated", self.ec2.attach_internet_gateway,
                     InternetGatewayId=g, VpcId=self.v)
        second = self.gateway()
        self.refused("InvalidParameterValue", self.ec2.attach_internet_gateway,
                     InternetGatewayId=second, VpcId=self.v)
        self.refused("DependencyViolation", self.ec2.delete_internet_gateway, InternetGatewayId=g)
        self.refused("Gateway.NotAttached", self.ec2.detach_internet_gateway,
                     InternetGatewayId=second, VpcId=self.v)
        self.ec2.delete_internet_gateway(InternetGatewayId=second)

    def test_routes_need_a_gateway_of_the_vpc(self):
        apart = self.gateway()
        self.addCleanup(self.ec2.delete_internet_gateway, InternetGatewayId=apart)
        make = lambda g: self.ec2.create_route(RouteTableId=self.table, GatewayId=g,
                                               DestinationCidrBlock="0.0.0.0/0")
        self.refused("InvalidParameterValue", make, apart)
        self.refused("InvalidGatewayID.NotFound", make, "igw-00000000000000000")
        g = self.gateway(self.v)
        make(g)
        self.refused("RouteAlreadyExists", make, g)
        self.assertEqual(self.routes()["0.0.0.0/0"]["State"], "active")
        self.ec2.detach_internet_gateway(InternetGatewayId=g, VpcId=self.v)
        self.assertEqual(self.routes()["0.0.0.0/0"]["State"], "blackhole")
        self.ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=self.v)
        self.assertEqual(self.routes()["0.0.0.0/0"]["State"], "active")
        self.ec2.replace_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0",
                               GatewayId=g)
        self.ec2.create_route(RouteTableId=self.table, DestinationIpv6CidrBlock="::/0",
                              GatewayId=g)
        self.ec2.delete_route(RouteTableId=self.table, DestinationCidrBlock="0.0.0.0/0")
        self.refused("InvalidRoute.NotFound", self.ec2.delete_route, RouteTableId=self.table,
                     DestinationCidrBlock="0.0.0.0/0")

    def test_client_token(self):
        make = lambda v: self.ec2.create_route_table(
            VpcId=v, ClientToken="routes-" + self.v)["RouteTable"]["RouteTableId"]
        t = make(self.v)
        self.assertEqual(make(self.v), t)
        self.refused("IdempotentParameterMismatch", make, self.vpc("10.4.0.0/16"))
        self.ec2.delete_route_table(RouteTableId=t)
        self.assertNotEqual(make(self.v), t)

    def test_what_routes_cannot_be(self):
        g = self.gateway(self.v)
        t = self.table
        self.refused("InvalidParameterValue", self.ec2.create_route, RouteTableId=t, GatewayId=g,
                     DestinationCidrBlock="10.0.9.0/24")
        self.refused("InvalidParameterValue", self.ec2.delete_route, RouteTableId=t,
                     DestinationCidrBlock="10.0.0.0/16")
        self.refused("InvalidParameterValue", self.ec2.replace_route, RouteTableId=t, GatewayId=g,
                     DestinationCidrBlock="10.9.0.0/16")
        self.refused("MissingParameter", self.ec2.create_route, RouteTableId=t,
                     DestinationCidrBlock="10.9.0.0/16")
        self.refused("NotImplemented", self.ec2.create_route, RouteTableId=t,
                     DestinationCidrBlock="10.9.0.0/16", NatGatewayId="nat-1")

    def test_associations(self):
        s = self.subnet(self.v)
        a = self.ec2.associate_route_table(RouteTableId=self.table, SubnetId=s)
        self.assertEqual(a["AssociationState"]["State"], "associated")
        other = self.ec2.create_route_table(VpcId=self.v)["RouteTable"]["RouteTableId"]
        self.refused("Resource.AlreadyAssociated", self.ec2.associate_route_table,
                     RouteTableId=other, SubnetId=s)
        self.refused("DependencyViolation", self.ec2.delete_route_table, RouteTableId=self.table)
        b = self.ec2.replace_route_table_association(AssociationId=a["AssociationId"],
                                                     RouteTableId=other)["NewAssociationId"]
        self.refused("InvalidAssociationID.NotFound", self.ec2.disassociate_route_table,
                     AssociationId=a["AssociationId"])
        self.ec2.delete_route_table(RouteTableId=self.table)
        found = self.ec2.describe_route_tables(
            Filters=[{"Name": "association.subnet-id", "Values": [s]}])["RouteTables"]
        self.assertEqual([t["RouteTableId"] for t in found], [other])
        self.ec2.disassociate_route_table(AssociationId=b)
        main, = self.ec2.describe_route_tables(
            Filters=[{"Name": "vpc-id", "Values": [self.v]},
                     {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
        m = main["Associations"][0]["RouteTableAssociationId"]
        self.refused("InvalidParameterValue", self.ec2.disassociate_route_table, AssociationId=m)
        self.refused("DependencyViolation", self.ec2.delete_route_table,
                     RouteTableId=main["RouteTableId"])
        elsewhere = self.subnet(self.vpc("10.2.0.0/16"), "10.2.0.0/24")
        self.refused("InvalidParameterValue", self.ec2.associate_route_table, RouteTableId=other,
                     SubnetId=elsewhere)


class AclTest(Base):
    def setUp(self):
        self.v = self.vpc()
        self.acl = self.ec2.create_network_acl(VpcId=self.v)["NetworkAcl"]["NetworkAclId"]

    def entry(self, number=100, **kw):
        args = dict(NetworkAclId=self.acl, RuleNumber=number, Protocol="6", RuleAction="allow",
                    Egress=False, CidrBlock="10.0.0.0/8", PortRange={"From": 443, "To": 443})
        args.update(kw)
        return {k: v for k, v in args.items() if v is not None}

    def entries(self):
        a, = self.ec2.describe_network_acls(NetworkAclIds=[self.acl])["NetworkAcls"]
        return {(e["RuleNumber"], e["Egress"]): e for e in a["Entries"]}

    def test_entries(self):
        self.assertEqual(set(self.entries()), {(32767, True), (32767, False)})
        self.ec2.create_network_acl_entry(**self.entry())
        self.refused("NetworkAclEntryAlreadyExists", self.ec2.create_network_acl_entry,
                     **self.entry())
        e = self.entries()[(100, False)]
        self.assertEqual((e["Protocol"], e["PortRange"]), ("6", {"From": 443, "To": 443}))
        self.ec2.replace_network_acl_entry(**self.entry(RuleAction="deny", CidrBlock="10.1.2.3/8"))
        e = self.entries()[(100, False)]
        self.assertEqual((e["RuleAction"], e["CidrBlock"]), ("deny", "10.0.0.0/8"))
        self.refused("InvalidNetworkAclEntry.NotFound", self.ec2.replace_network_acl_entry,
                     **self.entry(101))
        self.ec2.create_network_acl_entry(**self.entry(
            90, Protocol="58", CidrBlock=None, Ipv6CidrBlock="::/0", PortRange=None,
            IcmpTypeCode={"Type": -1, "Code": -1}))
        self.ec2.delete_network_acl_entry(NetworkAclId=self.acl, RuleNumber=100, Egress=False)
        self.refused("InvalidNetworkAclEntry.NotFound", self.ec2.delete_network_acl_entry,
                     NetworkAclId=self.acl, RuleNumber=100, Egress=False)

    def test_what_entries_cannot_be(self):
        make = self.ec2.create_network_acl_entry
        for bad in (dict(number=0), dict(number=32767), dict(Protocol="ghost"),
                    dict(CidrBlock="10.0.0.0"), dict(PortRange=None),
                    dict(PortRange={"From": 2, "To": 1}),
                    dict(Protocol="1", PortRange=None), dict(RuleAction="perhaps")):
            self.refused("InvalidParameterValue", make, **self.entry(**bad))
        self.refused("MissingParameter", make, **self.entry(CidrBlock=None))
        self.refused("InvalidNetworkAclID.NotFound", make,
                     **self.entry(NetworkAclId="acl-00000000000000000"))
        for i in range(1, 21):
            make(**self.entry(i))
        self.refused("NetworkAclEntryLimitExceeded", make, **self.entry(21))

    def test_associations(self):
        s = self.subnet(self.v)
        default, = self.ec2.describe_network_acls(
            Filters=[{"Name": "vpc-id", "Values": [self.v]},
                     {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
        a = default["Associations"][0]["NetworkAclAssociationId"]
        b = self.ec2.replace_network_acl_association(AssociationId=a, NetworkAclId=self.acl)
        self.refused("InvalidAssociationID.NotFound", self.ec2.replace_network_acl_association,
                     AssociationId=a, NetworkAclId=self.acl)
        self.refused("DependencyViolation", self.ec2.delete_network_acl, NetworkAclId=self.acl)
        self.ec2.replace_network_acl_association(AssociationId=b["NewAssociationId"],
                                                 NetworkAclId=default["NetworkAclId"])
        self.ec2.delete_network_acl(NetworkAclId=self.acl)
        self.refused("InvalidParameterValue", self.ec2.delete_network_acl,
                     NetworkAclId=default["NetworkAclId"])
        self.assertTrue(s)


class GroupTest(Base):
    def setUp(self):
        self.v = self.vpc()
        self.g = self.group("web")

    def group(self, name):
        return self.ec2.create_security_group(VpcId=self.v, GroupName=name,
                                              Description="for tests")["GroupId"]

    def shown(self, g=None):
        return self.ec2.describe_security_groups(GroupIds=[g or self.g])["SecurityGroups"][0]

    def allow(self, *permissions, g=None):
        return self.ec2.authorize_security_group_ingress(GroupId=g or self.g,
                                                         IpPermissions=list(permissions))

    @staticmethod
    def tcp(port, *cidrs, **kw):
        return dict(IpProtocol="tcp", FromPort=port, ToPort=port,
                    IpRanges=[{"CidrIp": c} for c in cidrs], **kw)

    def test_names(self):
        make = lambda **kw: self.ec2.create_security_group(
            **{**dict(VpcId=self.v, GroupName="n", Description="d"), **kw})
        self.refused("InvalidGroup.Duplicate", make, GroupName="web")
        for bad in ("sg-x", "default", "Default", "x" * 256, "w\u00e9b"):
            self.refused("InvalidParameterValue", make, GroupName=bad)
        default, = self.ec2.describe_security_groups(
            Filters=[{"Name": "vpc-id", "Values": [self.v]},
                     {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"]
        self.refused("CannotDelete", self.ec2.delete_security_group, GroupId=default["GroupId"])
        self.refused("InvalidGroupId.Malformed", self.ec2.delete_security_group, GroupId="web")
        self.refused("VPCIdNotSpecified", self.ec2.create_security_group, GroupName="n",
                     Description="d")

    def test_rules_in_both_forms(self):
        r = self.allow(self.tcp(443, "10.1.2.3/16", "192.0.2.0/24"),
                       dict(IpProtocol="58", FromPort=-1, ToPort=-1,
                            Ipv6Ranges=[{"CidrIpv6": "2001:DB8::1/32", "Description": "six"}]),
                       dict(IpProtocol="50", IpRanges=[{"CidrIp": "0.0.0.0/0"}]))
        self.assertEqual([x["IpProtocol"] for x in r["SecurityGroupRules"]],
                         ["tcp", "tcp", "icmpv6", "50"])
        self.assertRegex(r["SecurityGroupRules"][0]["SecurityGroupRuleId"], r"^sgr-0")
        p = {x["IpProtocol"]: x for x in self.shown()["IpPermissions"]}
        self.assertEqual(p["tcp"]["IpRanges"], [{"CidrIp": "10.1.0.0/16"},
                                                {"CidrIp": "192.0.2.0/24"}])
        self.assertEqual(p["icmpv6"]["Ipv6Ranges"], [{"CidrIpv6": "2001:db8::/32",
                                                      "Description": "six"}])
        rules = self.ec2.describe_security_group_rules(
            Filters=[{"Name": "group-id", "Values": [self.g]}])["SecurityGroupRules"]
        self.assertEqual(len(rules), 5)
        self.assertEqual(sum(x["IsEgress"] for x in rules), 1)

    def test_duplicates_and_what_is_not_there(self):
        self.allow(self.tcp(80, "10.0.0.0/8"))
        message = self.refused("InvalidPermission.Duplicate", self.allow,
                               self.tcp(80, "10.9.9.9/8"))
        self.assertIn('"peer: 10.0.0.0/8, TCP, from port: 80, to port: 80, ALLOW"', message)
        self.refused("InvalidPermission.Duplicate", self.allow, self.tcp(81, "10.0.0.0/8",
                                                                         "10.0.0.0/8"))
        revoke = lambda *p: self.ec2.revoke_security_group_ingress(GroupId=self.g,
                                                                   IpPermissions=list(p))
        self.refused("InvalidPermission.NotFound", revoke, self.tcp(80, "10.0.0.0/8"),
                     self.tcp(81, "10.0.0.0/8"))
        self.assertEqual(len(self.shown()["IpPermissions"]), 1)
        gone = revoke(self.tcp(80, "10.0.0.0/8"))["RevokedSecurityGroupRules"]
        self.assertEqual([g["CidrIpv4"] for g in gone], ["10.0.0.0/8"])
        self.assertEqual(self.shown()["IpPermissions"], [])
        r = self.ec2.authorize_security_group_egress(
            GroupId=self.g, IpPermissions=[self.tcp(25, "0.0.0.0/0")])["SecurityGroupRules"][0]
        rule = r["SecurityGroupRuleId"]
        self.refused("InvalidSecurityGroupRuleId.NotFound",
                     self.ec2.revoke_security_group_ingress, GroupId=self.g,
                     SecurityGroupRuleIds=[rule])
        self.ec2.revoke_security_group_egress(GroupId=self.g, SecurityGroupRuleIds=[rule])

    def test_what_rules_cannot_be(self):
        for bad in (dict(IpProtocol="tcp", IpRanges=[{"CidrIp": "0.0.0.0/0"}]),
                    self.tcp(65536, "0.0.0.0/0"), self.tcp(80, "10.0.0.0"),
                    dict(self.tcp(80, "0.0.0.0/0"), ToPort=79),
                    dict(self.tcp(80, "0.0.0.0/0"), IpProtocol="ghost"),
                    dict(self.tcp(80, "0.0.0.0/0"), IpProtocol="256")):
            self.refused("InvalidParameterValue", self.allow, bad)
        self.refused("MissingParameter", self.allow, self.tcp(80))
        self.refused("InvalidGroup.NotFound", self.allow, dict(self.tcp(80), UserIdGroupPairs=[
            {"GroupId": "sg-00000000000000000"}]))
        self.allow(*[self.tcp(p, "0.0.0.0/0") for p in range(1, 61)])
        self.refused("RulesPerSecurityGroupLimitExceeded", self.allow, self.tcp(61, "0.0.0.0/0"))

    def test_groups_hold_each_other(self):
        db = self.group("db")
        self.allow(dict(self.tcp(5432), UserIdGroupPairs=[{"GroupId": self.g}]), g=db)
        pair, = self.shown(db)["IpPermissions"][0]["UserIdGroupPairs"]
        self.assertEqual(pair, {"GroupId": self.g, "UserId": self.account})
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=self.g)
        self.ec2.delete_security_group(GroupId=db)
        self.ec2.delete_security_group(GroupId=self.g)

    def test_old_form(self):
        self.ec2.authorize_security_group_ingress(GroupId=self.g, IpProtocol="udp", FromPort=53,
                                                  ToPort=53, CidrIp="10.0.0.0/8")
        p, = self.shown()["IpPermissions"]
        self.assertEqual((p["IpProtocol"], p["FromPort"]), ("udp", 53))

    def test_rules_at_once(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda i: self.allow(self.tcp(1000 + i, "10.0.0.0/8")), range(16)))
        self.assertEqual(len(self.shown()["IpPermissions"]), 16)


class TagTest(Base):
    def test_tags(self):
        v = self.vpc()
        s = self.ec2.create_subnet(VpcId=v, CidrBlock="10.0.0.0/24", TagSpecifications=[
            {"ResourceType": "subnet", "Tags": [{"Key": "Name", "Value": "front"}]}])["Subnet"]
        self.assertEqual(s["Tags"], [{"Key": "Name", "Value": "front"}])
        mark = uuid.uuid4().hex
        self.ec2.create_tags(Resources=[v, s["SubnetId"]], Tags=[
            {"Key": "Mark", "Value": mark}, {"Key": "Name", "Value": "back*"}])
        tags = self.ec2.describe_tags(Filters=[{"Name": "value", "Values": [mark]}])["Tags"]
        self.assertEqual(sorted((t["ResourceId"], t["ResourceType"]) for t in tags),
                         sorted([(v, "vpc"), (s["SubnetId"], "subnet")]))
        pages = self.ec2.get_paginator("describe_tags").paginate(
            Filters=[{"Name": "resource-id", "Values": [v]}], PaginationConfig={"PageSize": 5})
        self.assertEqual([t["Key"] for p in pages for t in p["Tags"]], ["Mark", "Name"])
        self.ec2.delete_tags(Resources=[v], Tags=[{"Key": "Mark", "Value": "other"},
                                                  {"Key": "Name"}])
        self.assertEqual(self.ec2.describe_vpcs(VpcIds=[v])["Vpcs"][0]["Tags"],
                         [{"Key": "Mark", "Value": mark}])

    def test_refusals(self):
        v = self.vpc()
        tag = lambda key, value="x", r=v: self.ec2.create_tags(
            Resources=[r], Tags=[{"Key": key, "Value": value}])
        for key, value in (("aws:x", "y"), ("k" * 129, "y"), ("k", "v" * 257)):
            self.refused("InvalidParameterValue", tag, key, value)
        self.refused("InvalidID", tag, "a", "b", "nothing")
        self.refused("InvalidSubnetID.NotFound", tag, "a", "b", "subnet-00000000000000000")
        for i in range(50):
            tag("k%d" % i)
        self.refused("TagLimitExceeded", tag, "more")
        self.refused("InvalidParameterValue", self.ec2.create_vpc, CidrBlock="10.0.0.0/16",
                     TagSpecifications=[{"ResourceType": "subnet",
                                         "Tags": [{"Key": "a", "Value": "b"}]}])


class FilterTest(Base):
    def test_filters_and_pages(self):
        v = self.vpc()
        mark = uuid.uuid4().hex
        ids = []
        for i in range(7):
            s = self.subnet(v, "10.0.%d.0/24" % i, TagSpecifications=[
                {"ResourceType": "subnet", "Tags": [{"Key": mark, "Value": "n%d?" % i}]}])
            ids.append(s)
        find = lambda **f: sorted(s["SubnetId"] for s in self.ec2.describe_subnets(
            Filters=[{"Name": "vpc-id", "Values": [v]}] +
                    [{"Name": k.replace("_", "-"), "Values": x} for k, x in f.items()])["Subnets"])
        self.assertEqual(find(cidr_block=["10.0.[23].0/24"]), [])
        self.assertEqual(find(cidr_block=["10.0.2.*", "10.0.3.0/24"]), sorted(ids[2:4]))
        self.assertEqual(find(**{"tag:" + mark: ["n?\\?"]}), sorted(ids))
        self.assertEqual(find(**{"tag:" + mark: ["N1?"]}), [])
        self.assertEqual(find(tag_key=[mark], cidr=["10.0.1.0/24"]), [ids[1]])
        self.assertEqual(find(default_for_az=["false"]), sorted(ids))
        pages = list(self.ec2.get_paginator("describe_subnets").paginate(
            Filters=[{"Name": "vpc-id", "Values": [v]}], PaginationConfig={"PageSize": 5}))
        self.assertEqual([len(p["Subnets"]) for p in pages], [5, 2])
        self.assertEqual(sorted(s["SubnetId"] for p in pages for s in p["Subnets"]), sorted(ids))
        for bad in ({"Name": "colour", "Values": ["x"]}, {"Name": "vpc-id", "Values": []}):
            self.refused("InvalidParameterValue", self.ec2.describe_subnets, Filters=[bad])
        self.refused("FilterLimitExceeded", self.ec2.describe_subnets,
                     Filters=[{"Name": "vpc-id", "Values": ["v%d" % i for i in range(201)]}])
        loose = boto3.client("ec2", config=Config(parameter_validation=False))
        self.refused("InvalidParameterValue", loose.describe_subnets, MaxResults=4)
        self.refused("MissingParameter", loose.delete_subnet)
        self.refused("InvalidNextToken", self.ec2.describe_subnets, NextToken="bm90IGEgdG9rZW4")
        self.refused("InvalidParameterCombination", self.ec2.describe_subnets, MaxResults=5,
                     SubnetIds=ids[:1])

    # Of an elastic address on an interface; the rows of instances do not tell.
    NOT_BUILT = {"network-interface.association.allocation-id",
                 "network-interface.association.association-id",
                 "network-interface.addresses.association.allocation-id",
                 "network-interface.addresses.association.association-id"}

    def test_every_documented_filter_is_known(self):
        model, tried = self.ec2.meta.service_model, 0
        for name in ("DescribeVpcs", "DescribeSubnets", "DescribeInternetGateways",
                     "DescribeRouteTables", "DescribeNetworkAcls", "DescribeSecurityGroups",
                     "DescribeSecurityGroupRules", "DescribeDhcpOptions", "DescribeAddresses",
                     "DescribeInstances", "DescribeInstanceStatus", "DescribeTags",
                     "DescribeAvailabilityZones", "DescribeRegions"):
            text = model.operation_model(name).input_shape.members["Filters"].documentation
            call = getattr(self.ec2, xform_name(name))
            for f in re.findall(r"<li> *<p> *<code>([^<]+)</code>", text):
                if f in self.NOT_BUILT:
                    self.refused("InvalidParameterValue", call,
                                 Filters=[{"Name": f, "Values": ["x"]}])
                else:
                    call(Filters=[{"Name": "tag:k" if f.startswith("tag:") or f == "tag" else f,
                                   "Values": ["x"]}])
                tried += 1
        self.assertGreater(tried, 200)


class InstanceBase(Base):
    def setUp(self):
        self.v = self.vpc()
        self.s = self.subnet(self.v)

    def run_one(self, **kw):
        args = dict(ImageId=AMI, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=self.s)
        args.update(kw)
        return self.ec2.run_instances(**args)["Instances"][0]

    def shown(self, i):
        return self.ec2.describe_instances(InstanceIds=[i])["Reservations"][0]["Instances"][0]

    def state(self, i, wanted):
        return until(lambda: self.shown(i)["State"]["Name"] == wanted and self.shown(i))

    def free(self):
        return self.ec2.describe_subnets(SubnetIds=[self.s])["Subnets"][0][
            "AvailableIpAddressCount"]


class InstanceTest(InstanceBase):
    def test_life(self):
        i = self.run_one(TagSpecifications=[{"ResourceType": "instance",
                                             "Tags": [{"Key": "Name", "Value": "one"}]}])
        n = i["InstanceId"]
        self.assertEqual((i["State"]["Name"], i["State"]["Code"]), ("pending", 0))
        self.assertEqual(self.free(), 250)
        self.refused("IncorrectInstanceState", self.ec2.stop_instances, InstanceIds=[n])
        up = self.state(n, "running")
        self.assertRegex(up["PrivateIpAddress"], r"^10\.0\.1\.\d+$")
        self.assertEqual(up["SecurityGroups"][0]["GroupName"], "default")
        self.assertEqual(up["Tags"], [{"Key": "Name", "Value": "one"}])
        self.refused("DependencyViolation", self.ec2.delete_subnet, SubnetId=self.s)
        change, = self.ec2.stop_instances(InstanceIds=[n, n])["StoppingInstances"]
        self.assertEqual((change["PreviousState"]["Name"], change["CurrentState"]["Name"]),
                         ("running", "stopping"))
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[n])
        down = self.state(n, "stopped")
        self.assertEqual(down["StateReason"]["Code"], "Client.UserInitiatedShutdown")
        self.assertEqual(down["PrivateIpAddress"], up["PrivateIpAddress"])
        self.refused("IncorrectInstanceState", self.ec2.reboot_instances, InstanceIds=[n])
        self.ec2.start_instances(InstanceIds=[n])
        self.state(n, "running")
        self.ec2.reboot_instances(InstanceIds=[n])
        self.ec2.terminate_instances(InstanceIds=[n])
        gone = self.state(n, "terminated")
        self.assertNotIn("VpcId", gone)
        self.assertEqual(gone["NetworkInterfaces"], [])
        self.assertEqual(self.free(), 251)
        self.refused("IncorrectInstanceState", self.ec2.start_instances, InstanceIds=[n])
        again, = self.ec2.terminate_instances(InstanceIds=[n])["TerminatingInstances"]
        self.assertEqual(again["CurrentState"]["Name"], "terminated")

    def test_states_are_recorded(self):
        n = self.run_one()["InstanceId"]
        self.state(n, "running")
        trail = client("cloudtrail")

        def seen():
            events = trail.lookup_events(LookupAttributes=[
                {"AttributeKey": "EventName", "AttributeValue": "InstanceStateChange"}])["Events"]
            docs = [json.loads(e["CloudTrailEvent"]) for e in events]
            return [d for d in docs if d["serviceEventDetails"]["instance-id"] == n]
        event, = until(seen)
        self.assertEqual(event["eventType"], "AwsServiceEvent")
        self.assertEqual(event["serviceEventDetails"]["state"], "running")

    def test_wrong_launches(self):
        run = self.run_one
        self.refused("InvalidAMIID.Malformed", run, ImageId="image")
        self.refused("InvalidParameterValue", run, InstanceType="t9.huge")
        self.refused("InvalidParameterValue", run, MinCount=2)
        self.refused("InvalidSubnetID.NotFound", run, SubnetId="subnet-00000000000000000")
        self.refused("InvalidGroup.NotFound", run, SecurityGroupIds=["sg-00000000000000000"])
        self.refused("InvalidKeyPair.NotFound", run, KeyName="mine")
        self.refused("InvalidParameterValue", run, UserData="%" * 5 + "x" * 16385)
        self.refused("InvalidParameterValue", run, IamInstanceProfile={"Name": "ghost"})
        self.refused("NotImplemented", run, BlockDeviceMappings=[{"DeviceName": "/dev/sda1"}])
        for ip in ("10.0.1.3", "10.0.1.255", "10.9.0.1", "no"):
            self.refused("InvalidParameterValue", run, PrivateIpAddress=ip)
        other = self.ec2.create_security_group(VpcId=self.vpc("10.3.0.0/16"), GroupName="g",
                                               Description="d")["GroupId"]
        self.refused("InvalidParameter", run, SecurityGroupIds=[other])
        with self.assertRaises(ClientError) as e:
            self.ec2.run_instances(ImageId=AMI, MinCount=1, MaxCount=1)
        self.assertEqual(e.exception.response["Error"]["Code"], "VPCIdNotSpecified")
        self.assertEqual(self.free(), 251)

    def test_addresses_are_unique(self):
        small = self.subnet(self.v, "10.0.2.0/28")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            def one(_):
                try:
                    return self.run_one(SubnetId=small)["PrivateIpAddress"]
                except ClientError as e:
                    return e.response["Error"]["Code"]
            results = list(pool.map(one, range(14)))
        given = [r for r in results if r[0].isdigit()]
        self.assertEqual(len(set(given)), 11, results)
        self.assertEqual(results.count("InsufficientFreeAddressesInSubnet"), 3)

    def test_client_token(self):
        token = uuid.uuid4().hex
        a, b = self.run_one(ClientToken=token), self.run_one(ClientToken=token)
        self.assertEqual(a["InstanceId"], b["InstanceId"])
        self.refused("IdempotentParameterMismatch", self.run_one, ClientToken=token,
                     InstanceType="t3.nano")

    def test_several_in_one_reservation(self):
        r = self.ec2.run_instances(ImageId=AMI, MinCount=2, MaxCount=3, SubnetId=self.s)
        self.assertEqual([i["AmiLaunchIndex"] for i in r["Instances"]], [0, 1, 2])
        found = self.ec2.describe_instances(
            Filters=[{"Name": "reservation-id", "Values": [r["ReservationId"]]}])["Reservations"]
        self.assertEqual(len(found), 1)
        self.assertEqual(len(found[0]["Instances"]), 3)

    def test_attributes(self):
        script = "#!/bin/sh\necho secret-of-mine\n"
        data = base64.b64encode(script.encode()).decode()
        n = self.run_one(UserData=script, DisableApiTermination=True)["InstanceId"]
        get = lambda a: self.ec2.describe_instance_attribute(InstanceId=n, Attribute=a)
        self.assertEqual(get("userData")["UserData"]["Value"], data)
        self.assertTrue(get("disableApiTermination")["DisableApiTermination"]["Value"])
        self.refused("OperationNotPermitted", self.ec2.terminate_instances, InstanceIds=[n])
        change = lambda **kw: self.ec2.modify_instance_attribute(InstanceId=n, **kw)
        change(DisableApiTermination={"Value": False})
        change(SourceDestCheck={"Value": False})
        self.assertFalse(get("sourceDestCheck")["SourceDestCheck"]["Value"])
        self.state(n, "running")
        self.refused("IncorrectInstanceState", change, InstanceType={"Value": "t3.nano"})
        self.ec2.stop_instances(InstanceIds=[n])
        self.state(n, "stopped")
        change(InstanceType={"Value": "t3.nano"})
        change(UserData={"Value": b"other"})
        self.assertEqual(get("userData")["UserData"]["Value"], base64.b64encode(b"other").decode())
        self.refused("InvalidParameterValue", change, InstanceType={"Value": "t9.huge"})
        g = self.ec2.create_security_group(VpcId=self.v, GroupName="g",
                                           Description="d")["GroupId"]
        change(Groups=[g])
        self.assertEqual([x["GroupId"] for x in get("groupSet")["Groups"]], [g])
        self.refused("DependencyViolation", self.ec2.delete_security_group, GroupId=g)
        self.refused("NotImplemented", get, "kernel")
        events = client("cloudtrail").lookup_events(LookupAttributes=[
            {"AttributeKey": "EventName", "AttributeValue": "RunInstances"}])["Events"]
        self.assertTrue(events)
        for e in events:
            self.assertNotIn("secret-of-mine", e["CloudTrailEvent"])
            self.assertNotIn(data, e["CloudTrailEvent"])

    def test_status(self):
        n = self.run_one()["InstanceId"]
        self.state(n, "running")
        s, = self.ec2.describe_instance_status(InstanceIds=[n])["InstanceStatuses"]
        self.assertEqual(s["InstanceStatus"]["Status"], "insufficient-data")
        self.ec2.stop_instances(InstanceIds=[n])
        self.state(n, "stopped")
        self.assertEqual(self.ec2.describe_instance_status(InstanceIds=[n])["InstanceStatuses"],
                         [])
        s, = self.ec2.describe_instance_status(InstanceIds=[n], IncludeAllInstances=True)[
            "InstanceStatuses"]
        self.assertEqual(s["InstanceState"]["Name"], "stopped")

    def test_a_route_through_an_instance(self):
        n = self.run_one()["InstanceId"]
        self.state(n, "running")
        t = self.ec2.create_route_table(VpcId=self.v)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=t, DestinationCidrBlock="0.0.0.0/0", InstanceId=n)
        state = lambda: self.ec2.describe_route_tables(
            RouteTableIds=[t])["RouteTables"][0]["Routes"][1]["State"]
        self.assertEqual(state(), "active")
        self.ec2.stop_instances(InstanceIds=[n])
        self.state(n, "stopped")
        self.assertEqual(state(), "blackhole")


class AddressTest(InstanceBase):
    def address(self):
        a = self.ec2.allocate_address(Domain="vpc")
        self.addCleanup(self.ec2.release_address, AllocationId=a["AllocationId"])
        return a

    def gateway(self):
        g = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=g, VpcId=self.v)
        return g

    def test_elastic_address(self):
        a = self.ec2.allocate_address(Domain="vpc")
        self.assertRegex(a["PublicIp"], r"^198\.(18|19)\.")
        n = self.run_one()["InstanceId"]
        self.state(n, "running")
        put = lambda i, **kw: self.ec2.associate_address(AllocationId=a["AllocationId"],
                                                         InstanceId=i, **kw)["AssociationId"]
        self.refused("Gateway.NotAttached", put, n)
        g = self.gateway()
        first = put(n)
        self.assertEqual(put(n), first)
        shown, = self.ec2.describe_addresses(PublicIps=[a["PublicIp"]])["Addresses"]
        self.assertEqual((shown["InstanceId"], shown["AssociationId"]), (n, first))
        self.assertEqual(self.shown(n)["PublicIpAddress"], a["PublicIp"])
        self.refused("InvalidIPAddress.InUse", self.ec2.release_address,
                     AllocationId=a["AllocationId"])
        self.refused("DependencyViolation", self.ec2.detach_internet_gateway, InternetGatewayId=g,
                     VpcId=self.v)
        m = self.run_one()["InstanceId"]
        self.state(m, "running")
        self.refused("Resource.AlreadyAssociated", put, m, AllowReassociation=False)
        second = put(m)
        self.assertNotIn("PublicIpAddress", self.shown(n))
        self.refused("InvalidAssociationID.NotFound", self.ec2.disassociate_address,
                     AssociationId=first)
        self.ec2.disassociate_address(AssociationId=second)
        self.assertNotIn("PublicIpAddress", self.shown(m))
        put(m)
        self.ec2.terminate_instances(InstanceIds=[m])
        self.state(m, "terminated")
        self.assertNotIn("InstanceId", self.ec2.describe_addresses(
            AllocationIds=[a["AllocationId"]])["Addresses"][0])
        self.ec2.release_address(AllocationId=a["AllocationId"])
        self.refused("InvalidAllocationID.NotFound", self.ec2.release_address,
                     AllocationId=a["AllocationId"])
        self.refused("InvalidAddress.NotFound", self.ec2.describe_addresses,
                     PublicIps=[a["PublicIp"]])

    def test_address_lent_at_launch(self):
        self.ec2.modify_subnet_attribute(SubnetId=self.s, MapPublicIpOnLaunch={"Value": True})
        n = self.run_one()["InstanceId"]
        lent = self.state(n, "running")["PublicIpAddress"]
        self.assertRegex(lent, r"^198\.(18|19)\.")
        self.ec2.stop_instances(InstanceIds=[n])
        self.assertNotIn("PublicIpAddress", self.state(n, "stopped"))
        self.ec2.start_instances(InstanceIds=[n])
        self.assertIn("PublicIpAddress", self.state(n, "running"))
        quiet = self.ec2.run_instances(
            ImageId=AMI, MinCount=1, MaxCount=1, NetworkInterfaces=[
                {"DeviceIndex": 0, "SubnetId": self.s, "AssociatePublicIpAddress": False}])
        self.assertNotIn("PublicIpAddress", quiet["Instances"][0])


class PermissionTest(Base):
    """A user with some rights and not others."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.iam = client("iam")
        cls.user = "ec2-" + uuid.uuid4().hex[:8]
        cls.iam.create_user(UserName=cls.user)
        key = cls.iam.create_access_key(UserName=cls.user)["AccessKey"]
        cls.theirs = client("ec2", key)

    def put(self, *statements):
        self.iam.put_user_policy(UserName=self.user, PolicyName="p", PolicyDocument=json.dumps(
            {"Version": "2012-10-17", "Statement": list(statements)}))

    @staticmethod
    def allow(action, resource="*", **condition):
        s = {"Effect": "Allow", "Action": action, "Resource": resource}
        if condition:
            s["Condition"] = {"StringEquals": {k.replace("__", "/").replace("_", ":", 1): v
                                               for k, v in condition.items()}}
        return s

    def arn(self, what):
        return "arn:aws:ec2:us-east-1:%s:%s" % (self.account, what)

    def test_refusal_and_dry_run(self):
        self.put(self.allow("ec2:DescribeVpcs"))
        message = self.refused("UnauthorizedOperation", self.theirs.create_vpc,
                               CidrBlock="10.0.0.0/16", DryRun=True)
        self.assertIn("ec2:CreateVpc on resource: " + self.arn("vpc/*"), message)
        self.refused("DryRunOperation", self.theirs.describe_vpcs, DryRun=True)
        self.put(self.allow("ec2:CreateVpc", self.arn("vpc/*")))
        self.refused("DryRunOperation", self.theirs.create_vpc, CidrBlock="10.0.0.0/16",
                     DryRun=True)
        self.refused("UnauthorizedOperation", self.theirs.delete_vpc, VpcId="vpc-1")

    ARGS = {"CidrBlock": "10.0.0.0/16", "GroupName": "g", "Description": "d", "RuleNumber": 1,
            "Protocol": "-1", "RuleAction": "allow", "Egress": False, "MinCount": 1, "MaxCount": 1,
            "Attribute": "enableDnsSupport", "Resources": ["vpc-1"],
            "Tags": [{"Key": "k", "Value": "v"}], "InstanceIds": ["i-1"],
            "DhcpConfigurations": [{"Key": "domain-name", "Values": ["x"]}]}

    def test_every_call_refused_and_tried(self):
        """Each operation, first as who may nothing, then with DryRun as who may everything."""
        self.put(self.allow("sts:GetCallerIdentity"))
        words = re.compile(r"^You are not authorized to perform this operation\. User: "
                           r"arn:aws:iam::\d{12}:user/\S+ is not authorized to perform: (\S+) on "
                           r"resource: \S+ because no identity-based policy allows the \1 action$")
        with open(os.path.join(os.path.dirname(__file__), "..", "model.json")) as f:
            names = list(json.load(f)["operations"])
        dry = 0
        for name in names:
            model = self.ec2.meta.service_model.operation_model(name).input_shape
            args = {m: self.ARGS.get(m, m[:-2].lower() + "-1") for m in model.required_members}
            if name.endswith("InstanceAttribute") and "Attribute" in args:
                args["Attribute"] = "instanceType"
            if "DryRun" in model.members:
                args["DryRun"] = True
            call = xform_name(name)
            with self.subTest(name):
                message = self.refused("UnauthorizedOperation", getattr(self.theirs, call), **args)
                self.assertEqual(words.match(message)[1], "ec2:" + name)
                if "DryRun" in args:
                    self.refused("DryRunOperation", getattr(self.ec2, call), **args)
                    dry += 1
        self.assertGreater(dry, 55)

    def test_by_resource_and_tag(self):
        a, b = self.vpc(), self.vpc("10.1.0.0/16")
        self.ec2.create_tags(Resources=[a], Tags=[{"Key": "team", "Value": "red"}])
        subnets = self.arn("subnet/*")
        self.put(self.allow("ec2:CreateSubnet", [subnets, self.arn("vpc/" + a)]))
        self.theirs.create_subnet(VpcId=a, CidrBlock="10.0.0.0/24")
        self.refused("UnauthorizedOperation", self.theirs.create_subnet, VpcId=b,
                     CidrBlock="10.1.0.0/24")
        self.put(self.allow("ec2:CreateSubnet", subnets), self.allow(
            "ec2:CreateSubnet", self.arn("vpc/*"), ec2_ResourceTag__team="red"))
        self.theirs.create_subnet(VpcId=a, CidrBlock="10.0.1.0/24")
        self.refused("UnauthorizedOperation", self.theirs.create_subnet, VpcId=b,
                     CidrBlock="10.1.0.0/24")
        self.put(self.allow("ec2:*", "*", ec2_Vpc=self.arn("vpc/" + a)))
        self.refused("UnauthorizedOperation", self.theirs.create_subnet, VpcId=b,
                     CidrBlock="10.1.0.0/24")

    def test_every_resource_must_be_allowed(self):
        a, b = self.vpc(), self.vpc("10.1.0.0/16")
        self.ec2.create_tags(Resources=[a], Tags=[{"Key": "team", "Value": "red"}])
        self.put(self.allow("ec2:CreateTags", "*", aws_ResourceTag__team="red"))
        tags = [{"Key": "x", "Value": "y"}]
        self.theirs.create_tags(Resources=[a], Tags=tags)
        for order in ([a, b], [b, a]):
            self.refused("UnauthorizedOperation", self.theirs.create_tags, Resources=order,
                         Tags=tags)
        self.put(self.allow("ec2:CreateTags", "*", aws_RequestTag__x="y"))
        self.theirs.create_tags(Resources=[a, b], Tags=tags)
        self.refused("UnauthorizedOperation", self.theirs.create_tags, Resources=[a],
                     Tags=[{"Key": "x", "Value": "z"}])

    def test_tags_at_creation(self):
        specs = [{"ResourceType": "vpc", "Tags": [{"Key": "a", "Value": "b"}]}]
        make = lambda: self.theirs.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=specs)
        self.put(self.allow("ec2:CreateVpc"))
        self.assertIn("ec2:CreateTags", self.refused("UnauthorizedOperation", make))
        self.put(self.allow("ec2:CreateVpc"), self.allow(
            "ec2:CreateTags", self.arn("vpc/*"), ec2_CreateAction="CreateVpc"))
        v = make()["Vpc"]["VpcId"]
        self.addCleanup(self.ec2.delete_vpc, VpcId=v)
        self.refused("UnauthorizedOperation", self.theirs.create_tags, Resources=[v],
                     Tags=[{"Key": "a", "Value": "b"}])

    def test_run_instances_and_pass_role(self):
        v = self.vpc()
        s = self.subnet(v)
        name = "ec2-" + uuid.uuid4().hex[:8]
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
             "Action": "sts:AssumeRole"}]}
        role = self.iam.create_role(RoleName=name,
                                    AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        self.iam.create_instance_profile(InstanceProfileName=name)
        self.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        run = lambda **kw: self.theirs.run_instances(ImageId=AMI, MinCount=1, MaxCount=1,
                                                     SubnetId=s, **kw)
        self.put(self.allow("ec2:RunInstances", [self.arn("instance/*"), self.arn("subnet/*"),
                                                 self.arn("network-interface/*")]))
        self.assertIn("image/" + AMI, self.refused("UnauthorizedOperation", run))
        self.put(self.allow("ec2:RunInstances", [self.arn("subnet/*"),
                                                 self.arn("network-interface/*"),
                                                 "arn:aws:ec2:us-east-1::image/*"]),
                 self.allow("ec2:RunInstances", self.arn("instance/*"),
                            ec2_InstanceType="t3.micro"))
        self.refused("UnauthorizedOperation", run, InstanceType="t3.large")
        run(InstanceType="t3.micro")
        self.put(self.allow("ec2:RunInstances"))
        profile = {"IamInstanceProfile": {"Name": name}}
        self.assertIn("iam:PassRole on resource: " + role,
                      self.refused("UnauthorizedOperation", run, **profile))
        self.put(self.allow("ec2:RunInstances"), self.allow(
            "iam:PassRole", role, iam_PassedToService="ec2.amazonaws.com"))
        i = run(**profile)["Instances"][0]
        self.assertTrue(i["IamInstanceProfile"]["Arn"].endswith("instance-profile/" + name))

    def test_another_accounts_rows_are_not_there(self):
        v = self.vpc()
        other = boto3.client("ec2", region_name="eu-west-1")
        self.refused("InvalidVpcID.NotFound", other.describe_vpcs, VpcIds=[v])


if __name__ == "__main__":
    unittest.main()
