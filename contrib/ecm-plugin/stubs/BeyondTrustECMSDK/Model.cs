// SPDX-License-Identifier: Apache-2.0
// The data types of the ECM SDK, as far as their names are publicly known. These are our own declarations: they let the
// plug-in be built and tested without the vendor's SDK, and are never shipped. A type whose members are not known is
// empty here; the plug-in finds such members at run time (src/SdkAdapter.cs).
//
// Not here: guesses. A test that needs a session with an id derives a type of its own.

namespace BeyondTrust.Integration.ECM.SDK.Model;

public class ActionResult
{
    public bool IsSuccess { get; set; }
    public string? ErrorMessage { get; set; }
}

public class ActionResult<T>
{
    public bool IsSuccess { get; set; }
    public T? ResultValue { get; set; }
    public string? ErrorMessage { get; set; }
}

public class PluginCapabilities
{
    public bool SupportsCredentialsUsed { get; set; }
    public bool SupportsEndpointSearch { get; set; }
    public bool SupportsHealthCheck { get; set; }
    public bool SupportsSessionComplete { get; set; }
    public bool SupportsSessionStarted { get; set; }
    public bool SupportsStartSession { get; set; }
}

public class PluginHealthStatus
{
    public bool IsHealthy { get; set; }
}

public class SRASession
{
    public JumpItem? JumpItem { get; set; }
    public SRAUser? SRAUser { get; set; }
}

// The SDK's own name of this type is not known.
public class JumpItem
{
    public string? ComputerName { get; set; }
}

// The SDK's own name of this type is not known.
public class SRAUser
{
    public string? Username { get; set; }
}

public class CredentialSummary
{
    public string? CredentialId { get; set; }
    public string? DisplayValue { get; set; }
}

public class CredentialPackage
{
    public string? CredentialId { get; set; }
    public string? Username { get; set; }
    public string? Password { get; set; }

    public static CredentialPackage BuildUsernamePasswordPackage(string credentialId, string username, string password) =>
        new() { CredentialId = credentialId, Username = username, Password = password };
}

public class EndpointPackage
{
}

public enum EndpointPackageType
{
}

public class StartSessionDetails
{
}
