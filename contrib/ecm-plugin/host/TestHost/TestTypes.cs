// SPDX-License-Identifier: Apache-2.0
// With the stubs: types of the SDK with the members that are not publicly known, under names of the plug-in's table, so
// that every value can be sent. With the vendor's SDK these are not compiled, and its own types are used.

#if ECM_STUBS
using BeyondTrust.Integration.ECM.SDK.Model;

namespace Jumpgate.EcmPlugin.TestHost;

internal sealed class TestSession : SRASession
{
    public string? SessionKey { get; set; }

    public string? LSID { get; set; }

    public new TestUser? SRAUser { get; set; }

    public new TestJumpItem? JumpItem
    {
        get => base.JumpItem as TestJumpItem;
        set => base.JumpItem = value;
    }
}

internal sealed class TestUser : SRAUser
{
    public string? Domain { get; set; }
}

internal sealed class TestJumpItem : JumpItem
{
    public string? Name { get; set; }

    public string? Hostname { get; set; }

    public string? IPAddress { get; set; }

    public int? Port { get; set; }

    public string? JumpMethod { get; set; }

    public string? Application { get; set; }

    public string? NetworkId { get; set; }
}

internal sealed class TestEndpoint : EndpointPackage
{
    public string? EndpointId { get; set; }

    public string? Name { get; set; }

    public string? Hostname { get; set; }

    public string? IPAddress { get; set; }

    public int? Port { get; set; }

    public string? Method { get; set; }

    public string? Comments { get; set; }

    public string? NetworkId { get; set; }
}
#endif
